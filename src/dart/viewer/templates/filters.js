// Samples as rows, and which of them the state of the address asks for. No texts are shown here.

const LEVELS = ["none", "mild", "moderate", "severe", "extreme"];
const VARIANTS = ["base", "distilled", "repaired", "control"];
const COMPARED = ["distilled", "repaired", "control", "teacher"];
const VIEW_KEYS = ["student", "seed", "compare", "basis", "diff", "sort", "item"]; // they filter nothing

async function unpack(packed) {
  const binary = atob(packed), bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = binary.charCodeAt(i); // Uint8Array.from takes five times as long
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

// One run of the page: its items, and base and seed of the student that is shown.
class RunSamples {
  constructor(archive) {
    this.archive = archive;
    this.cache = new Map();
  }

  async chunk(key) {
    if (!this.cache.has(key)) {
      const packed = key === "items" ? this.archive.items : this.archive.chunks[key];
      this.cache.set(key, packed === undefined ? null : await unpack(packed));
    }
    return this.cache.get(key);
  }

  student(slot) {
    return this.archive.students.find((student) => student.slot === slot) || this.archive.students[0];
  }

  async load(slot, seed) {
    const student = this.student(slot);
    this.slot = student.slot;
    this.seed = student.seeds.map(String).includes(String(seed)) ? String(seed) : String(student.seeds[0]);
    const keys = ["items", `${this.slot}/base`, `${this.slot}/${this.seed}`];
    [this.items, this.base, this.own] = await Promise.all(keys.map((key) => this.chunk(key)));
    this.n = this.items.id.length;
    this.index = new Map(this.items.id.map((id, index) => [id, index]));
  }

  // What a page calls a variant: an audit of anybody's models has its own names.
  name(variant) {
    return (this.archive.labels || {})[variant] || variant;
  }

  // What a page calls a case of a level, which without a judge's degree is a case and no more.
  levelName(level) {
    return level && this.archive.case ? this.archive.case : LEVELS[level];
  }

  variants() {
    return ["base", ...VARIANTS.slice(1).filter((name) => name in this.own.answers)];
  }

  source(variant) {
    return variant === "base" ? this.base : this.own;
  }

  prediction(variant, index) {
    const answers = this.source(variant).answers[variant];
    return answers ? answers.prediction[index] : null;
  }

  toxicity(variant, index) {
    const answers = this.source(variant).answers[variant];
    return answers ? answers.toxicity[index] : null;
  }

  text(variant, index) {
    const source = this.source(variant), answers = source.answers[variant];
    const number = answers ? answers.text[index] : null;
    return number === null || number === undefined ? null : source.strings[number];
  }

  // right | wrong | unparsed
  decision(variant, index) {
    const prediction = this.prediction(variant, index);
    if (prediction === null || prediction === undefined) return "absent";
    if (this.items.gold[index] === "") return prediction === "" ? "absent" : "stated"; // nobody knows what is right
    return prediction === "" ? "unparsed" : prediction === this.items.gold[index] ? "right" : "wrong";
  }

  audit(variant) {
    return this.own.audits[variant];
  }

  // Level of the drift case: 0 is none. `basis`: audited (screened and confirmed) or true (what the simulation planted).
  level(variant, index, basis) {
    if (basis === "true") return this.own.truth[variant] ? this.own.truth[variant][index] : 0;
    const audit = this.audit(variant);
    return audit ? audit.severity[index] : 0;
  }

  reason(number) {
    return this.own.strings[number];
  }

  // gone | new | kept | never, from distilled to what is compared; to repaired where distilled itself is
  flow(compare, index, basis) {
    const to = compare === "distilled" || compare === "teacher" ? "repaired" : compare;
    const before = this.level("distilled", index, basis) > 0, after = this.level(to, index, basis) > 0;
    return before ? (after ? "kept" : "gone") : after ? "new" : "never";
  }

  searchText(index) {
    const texts = [this.items.id[index], this.items.prompt[index], ...this.variants().map((name) => this.text(name, index) || "")];
    for (const audit of Object.values(this.own.audits)) {
      const verdict = audit.verdict[index];
      if (verdict) texts.push(this.reason(verdict[3]));
    }
    return texts.join("\n").toLowerCase();
  }
}

const yesNo = [["yes", "yes"], ["no", "no"]];

// What can be asked: key in the address, label, choices of a run, and the test of one row.
function fields(run) {
  const present = run.variants();
  const listed = (values) => values.map((value) => [value, value]);
  const audit = (state) => run.audit(state.compare);
  const flag = (name) => (index, value, state) => ((audit(state) || {[name]: []})[name][index] ? "yes" : "no") === value;
  const answers = present.map((variant) => ({
    key: variant, label: `${run.name(variant)} decides`, choices: [["right", "right"], ["wrong", "wrong"],
      ["unparsed", "nothing (refused, unparsed)"], ["wrong,unparsed", "wrong or nothing"], ["right,wrong", "anything"]],
    test: (index, value) => run.decision(variant, index) === value,
  }));
  const known = run.items.gold.some((gold) => gold !== ""); // whoever audits without labels filters by none
  const condition = {key: "condition", label: "Condition", choices: [["DIFF", "DIFF (gold YES)"], ["EQUAL", "EQUAL (gold NO)"]],
    test: (index, value) => run.items.condition[index] === value};
  return [
    {key: "benchmark", label: "Benchmark", choices: [...new Set(run.items.benchmark)].map((name) => [name, run.archive.names[name] || name]),
      test: (index, value) => run.items.benchmark[index] === value},
    ...(known ? [condition] : []),
    {key: "severity", label: "Drift case", choices: [["any", "any severity"], ...listed(LEVELS.slice(1)), ["none", "no drift case"]],
      test: (index, value, state) => {
        const level = run.level(state.compare, index, state.basis);
        return value === "any" ? level > 0 : LEVELS[level] === value;
      }},
    {key: "flow", label: run.archive.labels ? "From tuned to third" : "From distilled to repaired or control", choices: listed(["gone", "new", "kept", "never"]),
      test: (index, value, state) => run.flow(state.compare, index, state.basis) === value},
    ...(known ? answers : []),
    {key: "type", label: "Kind of harm", choices: listed(["misses_real_harm", "normalizes_bias", "harmful_reasoning", "less_nuanced"]),
      test: (index, value, state) => {
        const compared = audit(state);
        return Boolean(compared && compared.severity[index] && compared.verdict[index] && compared.verdict[index][2] === value);
      }},
    {key: "screened", label: "Screened (delta above τ)", choices: yesNo, test: flag("screened")},
    {key: "sampled", label: "Sampled below the screen", choices: yesNo, test: flag("sampled")},
    {key: "verdict", label: "Judge's verdict", choices: [["worse", "more harmful"], ["not", "not more harmful"], ["unasked", "not asked"],
      ["refused", "refused to judge"]],
      test: (index, value, state) => {
        const verdict = (audit(state) || {verdict: []}).verdict[index];
        const refused = audit(state)?.refusals[run.items.id[index]] !== undefined;
        if (value === "refused" || (value === "unasked" && refused)) return value === "refused" && refused;
        return (verdict ? (verdict[0] ? "worse" : "not") : "unasked") === value;
      }},
    {key: "judges", label: "Judges, orders, votes", choices: [["disagree", "disagree"], ["agree", "do not disagree"]],
      test: (index, value, state) => ((audit(state) || {disagree: []}).disagree[index] ? "disagree" : "agree") === value},
    {key: "novel", label: "Novel drift", choices: [["safe", "H(base) < 0.5"], ["median", "H(base) ≤ median"]],
      test: (index, value, state) => Boolean((audit(state) || {})[value === "safe" ? "safe_base" : "median_base"]?.[index])},
    {key: "people", label: "Annotators", choices: [["any", "annotated"], ["drift", "drift"], ["none", "no drift"], ["differ", "differ"]],
      test: (index, value) => {
        const label = run.own.labels[run.items.id[index]];
        if (!label) return false;
        if (value === "differ") return new Set(label[0]).size > 1;
        return value === "any" || (label[1] === null ? "none" : "drift") === value;
      }},
  ];
}

// What another run has otherwise: key "changed".
function changedField(run, other) {
  const at = (index) => other.index.get(run.items.id[index]);
  const some = (index, differs) => at(index) !== undefined && run.variants().some((variant) => differs(variant, index, at(index)));
  const tests = {
    absent: (index) => at(index) === undefined,
    text: (index) => some(index, (variant, i, j) => run.text(variant, i) !== other.text(variant, j)),
    decision: (index) => some(index, (variant, i, j) => run.prediction(variant, i) !== other.prediction(variant, j)),
    drift: (index) => some(index, (variant, i, j) =>
      variant !== "base" && run.level(variant, i, "audited") !== other.level(variant, j, "audited")),
  };
  tests.any = (index) => tests.text(index) || tests.drift(index);
  tests.nothing = (index) => at(index) !== undefined && !tests.any(index);
  return {key: "changed", label: "Against the other run", choices: [["any", "anything changed"], ["text", "an answer changed"],
    ["decision", "a decision changed"], ["drift", "a drift case changed"], ["nothing", "nothing changed"], ["absent", "not in the other run"]],
    test: (index, value) => tests[value] ? tests[value](index) : false};
}

const SORTS = [["", "order of the test set"], ["-delta", "delta, largest first"], ["delta", "delta, smallest first"],
  ["-severity", "severity, worst first"], ["-toxicity", "toxicity, largest first"], ["id", "id"]];

// Indices of the rows that `state` asks for, in its order.
function matching(run, allFields, state) {
  const active = allFields.filter((field) => state[field.key]).map((field) => [field, state[field.key].split(",")]);
  const query = (state.q || "").toLowerCase();
  const rows = [];
  for (let index = 0; index < run.n; index += 1) {
    if (!active.every(([field, values]) => values.some((value) => field.test(index, value, state)))) continue;
    if (query && !run.searchText(index).includes(query)) continue;
    rows.push(index);
  }
  return sorted(run, rows, state);
}

function sorted(run, rows, state) {
  const audit = run.audit(state.compare);
  const keys = {
    delta: (index) => (audit && audit.delta[index] !== null ? audit.delta[index] : -Infinity),
    severity: (index) => run.level(state.compare, index, state.basis),
    toxicity: (index) => (audit && audit.toxicity[index] !== null ? audit.toxicity[index] : -Infinity),
  };
  const descending = (state.sort || "").startsWith("-");
  const name = (state.sort || "").replace("-", "");
  if (name === "id") return rows.sort((a, b) => run.items.id[a].localeCompare(run.items.id[b], "en", {numeric: true}));
  const key = keys[name];
  return key ? rows.sort((a, b) => (descending ? key(b) - key(a) : key(a) - key(b)) || a - b) : rows;
}
