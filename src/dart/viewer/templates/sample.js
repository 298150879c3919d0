// One sample: prompt, answers side by side with their differences, scores, verdicts, truth and labels.

function x1e5(value, sign) {
  if (value === null || value === undefined) return "–";
  const text = (1e5 * value).toFixed(1).replace("-", "−");
  return sign && value > 0 ? "+" + text : text;
}

function definitions(pairs) {
  const list = element("dl", {});
  for (const [term, value] of pairs) {
    if (value === null || value === undefined) continue;
    list.append(element("dt", {}, term), element("dd", {}, value));
  }
  return list;
}

function decisionNode(run, variant, index) {
  const state = run.decision(variant, index);
  if (state === "absent") return null;
  const prediction = run.prediction(variant, index);
  if (state === "stated") return prediction;
  if (state === "unparsed") return element("span", {class: "wrong"}, "none (unparsed)");
  return element("span", {class: state}, `${prediction} (${state})`);
}

// "more harmful, severe, normalizes bias" without its reason, which may quote texts
function verdictWords(verdict) {
  if (!verdict) return "not asked";
  if (!verdict[0]) return "not more harmful";
  return `more harmful, ${verdict[1]}, ${verdict[2].replaceAll("_", " ")}`;
}

// Of a guard, which grades nothing, or of the screen alone.
function plainVerdict(verdict) {
  return verdict ? (verdict[0] ? "more harmful" : "not more harmful") : "not asked";
}

function auditFacts(run, variant, index) {
  const audit = run.audit(variant);
  if (!audit || (audit.delta[index] === null && audit.verdict[index] === null)) return [];
  const facts = [["delta", x1e5(audit.delta[index], true)],
    ["screen", audit.screened[index] ? "above τ" : audit.sampled[index] ? "below τ, sampled" : "below τ"],
    ["judge", run.archive.case ? plainVerdict(audit.verdict[index]) : verdictWords(audit.verdict[index])]];
  const id = run.items.id[index];
  const refusal = audit.refusals[id];
  if (refusal) facts.push(["refused", `by ${refusal[0]} (${refusal[1]})`]);
  for (const [role, verdict] of Object.entries(audit.judges[id] || {})) {
    facts.push([role.replace("_", " ") + " (annotated)", verdictWords(verdict)]);
  }
  (audit.verdicts[id] || []).forEach((verdict, turn) => facts.push([`verdict ${turn + 1}`, verdictWords(verdict)]));
  const safety = (unsafe) => (unsafe === null ? "refused" : unsafe ? "unsafe" : "safe");
  for (const [name, [base, candidate, categories]] of Object.entries(variant === "distilled" ? run.own.guards[id] || {} : {})) {
    facts.push([`guard ${name}`, `base ${safety(base)}, distilled ${safety(candidate)}` + (categories ? ` (${categories})` : "")]);
  }
  facts.push(["drift case", run.levelName(audit.severity[index])]);
  if (run.own.truth[variant]) facts.push(["truth", LEVELS[run.own.truth[variant][index]]]);
  if (variant === "distilled" && run.own.labels[id]) {
    const [annotators, consensus] = run.own.labels[id];
    facts.push(["annotators", annotators.map((label) => label || "none").join(", ") + `; consensus ${consensus || "none"}`]);
  }
  return facts;
}

function reasons(run, variant, index) {
  const audit = run.audit(variant);
  if (!audit) return [];
  const id = run.items.id[index];
  const verdicts = [["judge", audit.verdict[index]], ...Object.entries(audit.judges[id] || {}),
    ...(audit.verdicts[id] || []).map((verdict, turn) => [`verdict ${turn + 1}`, verdict])];
  const seen = new Set(), result = [];
  if (audit.refusals[id]) result.push(["refusal", run.reason(audit.refusals[id][2])]);
  for (const [role, verdict] of verdicts) {
    if (!verdict || seen.has(verdict[3])) continue;
    seen.add(verdict[3]);
    result.push([role.replace("_", " "), run.reason(verdict[3])]);
  }
  return result;
}

function referenceText(run, variant, index, against) {
  if (against === "none") return null;
  const order = run.variants();
  const name = against === "previous" ? order[order.indexOf(variant) - 1] : against;
  return !name || name === variant ? null : run.text(name, index);
}

function columnOf(run, variant, index, state, shown, reference) {
  const text = run.text(variant, index);
  const toxicity = run.toxicity(variant, index) ?? run.audit(variant)?.toxicity[index] ?? null;
  const column = element("section", {class: variant === state.compare ? "column compared" : "column", "data-variant": variant},
    element("h3", {}, run.name(variant)),
    definitions([["decision", decisionNode(run, variant, index)], ["H × 10⁵", x1e5(toxicity, false)],
      ...(variant === "base" ? [] : auditFacts(run, variant, index))]));
  if (!shown) column.append(element("p", {class: "masked"}, "text masked"));
  else if (text === null) column.append(element("p", {class: "masked"}, "no text in this run"));
  else column.append(textBlock(text, reference));
  if (shown) {
    for (const [role, reason] of reasons(run, variant, index)) {
      column.append(element("h4", {}, role === "refusal" ? "words of the refusal" : `${role}'s reason`), textBlock(reason, null));
    }
  }
  return column;
}

// The whole of a sample. `other` is the run beside it, or null; `shown`: the reader has asked for the texts.
function sampleView(run, other, index, state, shown, place, onReveal) {
  const id = run.items.id[index];
  const reveal = element("button", {type: "button", id: "reveal", "aria-pressed": String(shown)}, shown ? "Hide texts (r)" : "Show texts (r)");
  reveal.addEventListener("click", onReveal);
  const head = element("div", {class: "head"}, element("h2", {}, id),
    element("span", {class: "badge"}, run.archive.names[run.items.benchmark[index]] || run.items.benchmark[index]),
    run.items.gold[index] ? element("span", {class: "badge"}, `${run.items.condition[index]}, gold ${run.items.gold[index]}`) : null,
    element("span", {class: "badge"}, run.flow(state.compare, index, state.basis)), element("span", {}, place), reveal);
  const prompt = element("section", {class: "prompt", "aria-label": "Prompt"}, element("h3", {}, "prompt"));
  prompt.append(shown ? textBlock(run.items.prompt[index], null) : element("p", {class: "masked"}, "text masked"));
  const names = run.variants();
  if (run.audit("teacher") && state.compare === "teacher") names.push("teacher");
  const columns = element("div", {class: "columns"}, ...names.map((variant) =>
    columnOf(run, variant, index, state, shown, referenceText(run, variant, index, state.diff || "base"))));
  const parts = [head, prompt, columns];
  if (other) parts.push(otherView(run, other, index, state, shown));
  return parts;
}

// The same item in the other run; differences against this run's answers.
function otherView(run, other, index, state, shown) {
  const at = other.index.get(run.items.id[index]);
  const box = element("section", {class: "other", "aria-label": "Other run"}, element("h2", {}, `the other run: ${other.archive.title || other.archive.profile}`));
  if (at === undefined) box.append(element("p", {}, "This item is not in the other run."));
  else {
    box.append(element("div", {class: "columns"}, ...other.variants().map((variant) =>
      columnOf(other, variant, at, state, shown, run.text(variant, index)))));
  }
  return box;
}
