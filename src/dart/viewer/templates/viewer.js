// The page: state in the address, filters, list, keys.

const PAGE_ROWS = 100;
const HIDE_KEYS = new Set(["seed", "compare", "basis", "student", "sort", "item", "diff"]);
const FIRST_FIELDS = new Set(["benchmark", "condition", "severity", "flow", "changed"]);
const DIFFS = [["base", "base"], ["distilled", "distilled"], ["previous", "the column before"], ["none", "nothing"]];
const view = {runs: [], state: {}, fields: [], rows: [], revealed: new Set(), revealAll: false, page: 0};

function readState() {
  const state = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  // `#D1-DIFF-26` alone names an item
  const keys = Object.keys(state);
  return keys.length === 1 && state[keys[0]] === "" ? {item: keys[0]} : state;
}

function writeState(changes) {
  const state = {...view.state, ...changes};
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(state)) if (value) parameters.set(key, value);
  const hash = "#" + parameters.toString();
  if (hash !== location.hash) history.replaceState(null, "", hash);
  return apply();
}

// The state with defaults where the address names nothing.
function resolved(run, given) {
  const known = COMPARED.filter((name) => run.audit(name));
  return {...given, student: run.slot, seed: run.seed, basis: given.basis === "true" && run.archive.truth ? "true" : "audited",
    compare: known.includes(given.compare) ? given.compare : "distilled"};
}

async function apply() {
  const given = readState();
  const [run, other] = view.runs;
  await run.load(given.student, given.seed);
  if (other) await other.load(run.slot, run.seed);
  view.state = given;
  view.shown = resolved(run, given);
  view.fields = other ? [...fields(run), changedField(run, other)] : fields(run);
  const search = JSON.stringify([{...given, item: ""}, run.slot, run.seed]);
  if (search !== view.search) {
    view.rows = matching(run, view.fields, view.shown);
    view.search = search;
  }
  const named = run.index.get(given.item);
  const position = view.rows.indexOf(named);
  view.current = named !== undefined ? named : view.rows.length ? view.rows[0] : null;
  view.page = Math.max(0, Math.floor(Math.max(position, 0) / PAGE_ROWS));
  drawControls();
  drawCount();
  drawRows();
  drawSample();
}

function select(key, label, choices, value, wide) {
  const options = [...choices];
  if (value && !options.some(([choice]) => choice === value)) options.push([value, value.replaceAll(",", " or ")]);
  const node = element("select", {id: `filter-${key}`, class: value && !VIEW_KEYS.includes(key) ? "set" : null},
    ...options.map(([choice, text]) => element("option", {value: choice, selected: choice === (value || "")}, text)));
  node.addEventListener("change", () => writeState({[key]: node.value, ...(VIEW_KEYS.includes(key) ? {} : {item: ""})}));
  return element("label", {class: wide ? "wide" : null, for: `filter-${key}`}, label, node);
}

function drawControls() {
  const [run] = view.runs, state = view.shown;
  const focused = document.activeElement && document.activeElement.id;
  const student = run.student(run.slot);
  const sources = run.archive.labels ? [] : [
    select("student", "Student", run.archive.students.map((s) => [s.slot, `${s.name} (${s.slot})`]), run.slot),
    select("seed", "Training seed", student.seeds.map((seed, i) => [String(seed), i ? String(seed) : `${seed} (reference)`]), run.seed)];
  const controls = [...sources,
    select("compare", "Audit of", COMPARED.filter((name) => run.audit(name)).map((name) => [name, `${run.name(name)} against base`]), state.compare),
  ];
  if (run.archive.truth) controls.push(select("basis", "Drift counted", [["audited", "as audited"], ["true", "as planted (truth)"]], state.basis));
  const more = [];
  for (const field of view.fields) {
    const control = select(field.key, field.label, [["", "all"], ...field.choices], state[field.key] || "");
    (FIRST_FIELDS.has(field.key) ? controls : more).push(control);
  }
  controls.push(select("sort", "Order", SORTS, state.sort || ""));
  controls.push(select("diff", "Differences from", DIFFS.map(([name, text]) => [name, name === text ? run.name(name) : text]), state.diff || "base"));
  const box = document.getElementById("controls"), search = box.firstElementChild || searchField();
  const input = search.querySelector("input");
  if (document.activeElement !== input) input.value = state.q || "";
  if (!search.parentNode) box.append(search);
  for (const old of [...box.children].slice(1)) old.remove(); // the search stays: it may have the focus
  box.append(...controls);
  document.getElementById("more-controls").replaceChildren(...more);
  if (view.fields.some((field) => !FIRST_FIELDS.has(field.key) && state[field.key])) document.getElementById("more").open = true;
  if (focused && focused !== "filter-q") document.getElementById(focused)?.focus({preventScroll: true});
}

function searchField() {
  const node = element("input", {id: "filter-q", type: "search"});
  let timer = 0;
  node.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => writeState({q: node.value, item: ""}), 150);
  });
  return element("label", {class: "wide", for: "filter-q"}, "Full text (of masked texts, too)", node);
}

function drawCount() {
  const [run] = view.runs;
  document.getElementById("count").textContent = `${view.rows.length.toLocaleString("en")} of ${run.n.toLocaleString("en")} samples`;
  const chips = Object.entries(view.state).filter(([key, value]) => value && !HIDE_KEYS.has(key))
    .map(([key, value]) => element("span", {class: "chip"}, `${key}: ${value.replaceAll(",", " or ")}`));
  document.getElementById("chips").replaceChildren(...chips);
  document.getElementById("clear").disabled = chips.length === 0;
}

function rowWords(run, index) {
  const state = view.shown, audit = run.audit(state.compare);
  const level = run.level(state.compare, index, state.basis);
  const words = [`Δ ${x1e5(audit ? audit.delta[index] : null, true)}`, level ? run.levelName(level) : "no drift", run.flow(state.compare, index, state.basis)];
  return words.join(", ");
}

function itemHash(index) {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(view.state)) if (value && key !== "item") parameters.set(key, value);
  parameters.set("item", view.runs[0].items.id[index]);
  return "#" + parameters.toString();
}

function drawRows() {
  const [run] = view.runs, start = view.page * PAGE_ROWS;
  const shown = view.rows.slice(start, start + PAGE_ROWS);
  const list = document.getElementById("rows");
  list.setAttribute("start", String(start + 1));
  list.replaceChildren(...shown.map((index) => element("li", {}, element("a", {href: itemHash(index),
    "aria-current": index === view.current ? "true" : null}, run.items.id[index], element("small", {}, rowWords(run, index))))));
  const pages = Math.ceil(view.rows.length / PAGE_ROWS), box = document.getElementById("pages");
  box.replaceChildren();
  if (pages > 1) {
    const turn = (label, page) => {
      const button = element("button", {type: "button", disabled: page < 0 || page >= pages}, label);
      button.addEventListener("click", () => go(view.rows[page * PAGE_ROWS]));
      return button;
    };
    box.append(turn("previous 100", view.page - 1), element("span", {}, `page ${view.page + 1} of ${pages}`), turn("next 100", view.page + 1));
  }
  list.querySelector("[aria-current]")?.scrollIntoView({block: "nearest"});
}

function drawSample() {
  const [run, other] = view.runs, box = document.getElementById("detail");
  if (view.current === null) {
    box.replaceChildren(element("p", {}, "No sample matches these filters."));
    return;
  }
  const id = run.items.id[view.current], position = view.rows.indexOf(view.current);
  const place = position < 0 ? "not among the filtered samples" : `${(position + 1).toLocaleString("en")} of ${view.rows.length.toLocaleString("en")}`;
  const shown = view.revealAll || view.revealed.has(id);
  const focused = document.activeElement && document.activeElement.id === "reveal";
  box.replaceChildren(...sampleView(run, other || null, view.current, view.shown, shown, place, toggleReveal));
  if (focused) document.getElementById("reveal").focus();
}

function toggleReveal() {
  if (view.current === null) return;
  const id = view.runs[0].items.id[view.current];
  if (view.revealAll) return setRevealAll(false);
  if (!view.revealed.delete(id)) view.revealed.add(id);
  drawSample();
}

function setRevealAll(value) {
  view.revealAll = value;
  if (!value) view.revealed.clear();
  const button = document.getElementById("reveal-all");
  button.setAttribute("aria-pressed", String(value));
  button.textContent = value ? "Hide all texts (R)" : "Show all texts (R)";
  drawSample();
}

function go(index) {
  if (index === undefined || index === null) return;
  history.replaceState(null, "", itemHash(index));
  apply();
}

function step(by) {
  const position = view.rows.indexOf(view.current);
  go(view.rows[position < 0 ? 0 : Math.min(view.rows.length - 1, Math.max(0, position + by))]);
}

function toggleHelp() {
  const help = document.getElementById("help");
  help.hidden = !help.hidden;
  document.getElementById("help-button").setAttribute("aria-expanded", String(!help.hidden));
}

function onKey(event) {
  const typing = ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName);
  if (event.key === "Escape" && typing) return event.target.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return undefined;
  const actions = {j: () => step(1), ArrowDown: () => step(1), ArrowRight: () => step(1), k: () => step(-1), ArrowUp: () => step(-1),
    ArrowLeft: () => step(-1), r: toggleReveal, R: () => setRevealAll(!view.revealAll), "?": toggleHelp,
    "/": () => document.getElementById("filter-q").focus()};
  if (!(event.key in actions)) return undefined;
  event.preventDefault();
  return actions[event.key]();
}

function drawAbout() {
  const [run, other] = view.runs.map((samples) => samples.archive);
  const parts = [run.about || `Profile ${run.profile} (${run.label}). Every test item with what each student answered; texts are masked until you ask for them.`];
  if (run.left_out.length) parts.push(`Left out for the size of the file: ${run.left_out.join(", ")}.`);
  if (other) parts.push(`Beside it: ${other.title || other.profile}.`);
  document.getElementById("about").textContent = parts.join(" ");
  const warning = document.getElementById("warning");
  if (run.real) {
    warning.hidden = false;
    warning.textContent = "Content warning: prompts and answers may be offensive, stereotyping or wrong. They are kept to study them.";
  }
}

async function start() {
  const archive = JSON.parse(document.getElementById("samples").textContent);
  view.runs = archive.runs.map((run) => new RunSamples(run));
  drawAbout();
  if (window.matchMedia("(max-width: 760px)").matches) document.getElementById("fold").open = false;
  await apply(); // keys and buttons act on rows: not before there are any
  window.addEventListener("hashchange", apply);
  document.addEventListener("keydown", onKey);
  document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("clear").addEventListener("click", () => {
    const kept = Object.fromEntries(Object.entries(view.state).filter(([key]) => HIDE_KEYS.has(key)));
    document.getElementById("filter-q").value = "";
    view.state = kept;
    writeState({});
  });
  document.getElementById("reveal-all").addEventListener("click", () => setRevealAll(!view.revealAll));
  document.getElementById("help-button").addEventListener("click", toggleHelp);
  document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById("detail").focus();
  });
  performance.mark("ready");
  document.documentElement.dataset.ready = "yes";
}

start().catch((error) => {
  document.getElementById("detail").replaceChildren(element("p", {class: "warning"},
    `The samples could not be read (${error.message}). A browser of 2023 or later is needed.`));
});
