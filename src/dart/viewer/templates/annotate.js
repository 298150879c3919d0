// Labels with the keyboard: two questions about a pair of texts; undo; kept in this browser; saved as JSONL.

const study = JSON.parse(document.getElementById("questions").textContent);
const KEY = `dart-annotation:${study.annotator}`; // codes are unique, so labels of another study do no harm
const at = (id) => document.getElementById(id);
const [FIRST, SECOND] = study.columns;
// labels: by code {[FIRST]: answer, [SECOND]: answer, comment}; steps: what `undo` takes back, as [code, label before]
const work = {labels: {}, steps: [], current: 0, started: false};

function label(index) {
  return work.labels[study.questions[index].code] || {[FIRST]: "", [SECOND]: "", comment: ""};
}

function isDone(index) {
  const {[FIRST]: first, [SECOND]: second} = label(index);
  return first === study.final || (first !== "" && second !== "");
}

function doneCount() {
  return study.questions.filter((_, index) => isDone(index)).length;
}

function store() {
  try {
    localStorage.setItem(KEY, JSON.stringify({labels: work.labels, steps: work.steps.slice(-1000)}));
  } catch (error) {
    at("storage").hidden = false;
    at("storage").textContent = `This browser keeps nothing (${error.name}). Save the labels before you close the page.`;
  }
}

function restore() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) || "{}");
    work.labels = kept.labels || {};
    work.steps = kept.steps || [];
  } catch (error) {
    at("storage").hidden = false;
    at("storage").textContent = `What this browser kept cannot be read (${error.name}). The labels begin anew.`;
  }
}

function change(changes) {
  const code = study.questions[work.current].code;
  work.steps.push([code, work.labels[code] || null]);
  work.labels[code] = {...label(work.current), ...changes};
  store();
}

function nextUnlabelled(from) {
  const n = study.questions.length;
  for (let step = 0; step < n; step += 1) if (!isDone((from + step) % n)) return (from + step) % n;
  return null;
}

function answer(value) {
  change({[FIRST]: value, [SECOND]: ""});
  if (value === study.final) forward();
  else draw();
}

function answerSecond(value) {
  change({[SECOND]: value});
  forward();
}

function forward() {
  const next = nextUnlabelled(work.current);
  if (next !== null) work.current = next;
  draw();
}

function undo() {
  const step = work.steps.pop();
  if (!step) return;
  const [code, before] = step;
  if (before === null) delete work.labels[code];
  else work.labels[code] = before;
  work.current = Math.max(0, study.questions.findIndex((question) => question.code === code));
  store();
  draw();
}

function go(index) {
  work.current = Math.min(study.questions.length - 1, Math.max(0, index));
  draw();
}

function exported() {
  return study.questions.map((question, index) => [question.code, label(index), index]).filter(([, , index]) => isDone(index))
    .map(([code, given]) => JSON.stringify({code, [FIRST]: given[FIRST], [SECOND]: given[SECOND], comment: given.comment || ""}) + "\n").join("");
}

function save() {
  const url = URL.createObjectURL(new Blob([exported()], {type: "application/x-ndjson"}));
  const link = element("a", {href: url, download: `${study.annotator}.jsonl`});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

function needsSecond(index) {
  const given = label(index);
  return given[FIRST] !== "" && given[FIRST] !== study.final && given[SECOND] === "";
}

function draw() {
  const question = study.questions[work.current], given = label(work.current), n = study.questions.length, done = doneCount();
  at("progress").max = n;
  at("progress").value = done;
  at("count").textContent = `${done} of ${n}`;
  if (!work.started) return;
  at("place").textContent = `Pair ${work.current + 1} of ${n}`;
  at("state").textContent = isDone(work.current) ? "labelled" : needsSecond(work.current) ? "the second answer is missing" : "not labelled";
  at("prompt").replaceChildren(textBlock(question.prompt, null));
  at("gold").textContent = question.gold;
  at("text-1").replaceChildren(textBlock(question.text_1, null));
  at("text-2").replaceChildren(textBlock(question.text_2, null));
  for (const side of ["1", "2"]) at(`side-${side}`).classList.toggle("chosen", given[FIRST] === side);
  at("said").replaceChildren(...question.said.map((text) => element("li", {}, text)));
  for (const button of at("which").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.answer === given[FIRST]));
  }
  const open = given[FIRST] !== "" && given[FIRST] !== study.final;
  for (const button of at("how").querySelectorAll("button")) {
    button.disabled = !open;
    button.setAttribute("aria-pressed", String(button.dataset.answer === given[SECOND]));
  }
  at("which").classList.toggle("active", !needsSecond(work.current));
  at("how").classList.toggle("active", needsSecond(work.current));
  at("comment").value = given.comment || "";
  at("undo").disabled = work.steps.length === 0;
  at("done").hidden = done < n;
  at("done").textContent = `All ${n} pairs are labelled. Save the labels (s) and send the file ${study.annotator}.jsonl back.`;
}

function begin() {
  work.started = true;
  at("welcome").hidden = true;
  at("work").hidden = false;
  const next = nextUnlabelled(0);
  work.current = next === null ? 0 : next;
  draw();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.tagName === "TEXTAREA") {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (!work.started) {
    if (event.key === "Enter" && event.target.tagName !== "BUTTON") begin();
    return;
  }
  const digit = "01234".indexOf(event.key);
  if (event.key.length === 1 && digit >= 0 && needsSecond(work.current)) {
    if (digit > 0) answerSecond(study.second[digit - 1][0]);
    return;
  }
  const answers = Object.fromEntries(study.first.map(([key, value]) => [key, () => answer(value)]));
  const keys = {...answers, u: undo, Backspace: undo,
    j: () => go(work.current + 1), ArrowRight: () => go(work.current + 1), k: () => go(work.current - 1),
    ArrowLeft: () => go(work.current - 1), n: forward, s: save, c: () => at("comment").focus()};
  if (event.key in keys) {
    event.preventDefault();
    keys[event.key]();
  }
}

function start() {
  restore();
  study.second.forEach(([value, words], index) => {
    const button = element("button", {type: "button", "data-answer": value}, element("kbd", {}, String(index + 1)), ` ${words}`);
    button.addEventListener("click", () => answerSecond(value));
    at("how").append(button, " ");
  });
  for (const button of at("which").querySelectorAll("button")) button.addEventListener("click", () => answer(button.dataset.answer));
  at("comment").addEventListener("input", () => {
    const code = study.questions[work.current].code;
    work.labels[code] = {...label(work.current), comment: at("comment").value};
    store();
  });
  const actions = {begin, undo, save, previous: () => go(work.current - 1), next: () => go(work.current + 1), unlabelled: forward};
  for (const [id, action] of Object.entries(actions)) at(id).addEventListener("click", action);
  document.addEventListener("keydown", onKey);
  at("begin").focus();
  draw();
  document.documentElement.dataset.ready = "yes";
}

start();
