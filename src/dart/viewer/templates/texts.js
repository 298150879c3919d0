// Texts of models and benchmarks on the page: text nodes only, never markup; hidden characters made visible.

const LONGEST_SHOWN = 20000; // characters of one text before "show the rest"
const LARGEST_DIFF = 4e6; // cells of the table of word differences
// the same as in dart.core.visible_text
const HIDDEN_CHARACTERS = new RegExp("[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4" +
  "\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ufeff\\uffa0\\ufff0-\\ufffb\\u{1bca0}-\\u{1bca3}" +
  "\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}\\ud800-\\udfff]", "gu");

function element(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// Append `text` to `node`; direction marks and control characters become their code points in a box.
function appendText(node, text) {
  let end = 0;
  for (const match of text.matchAll(HIDDEN_CHARACTERS)) {
    if (match.index > end) node.append(text.slice(end, match.index));
    const code = match[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    node.append(element("span", {class: "control", title: "a character without a shape"}, "U+" + code));
    end = match.index + match[0].length;
  }
  node.append(text.slice(end));
}

// Words with the space before each, so that a text that goes on differs by what is added alone.
function words(text) {
  return text.match(/\s*[^\s]+|\s+$/g) || [];
}

// Edits of a list into another as [{same}] and [{del, ins}] in turn, by a longest common subsequence; null if too long.
function edits(a, b) {
  let start = 0, end = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  const n = a.length - start - end, m = b.length - start - end, width = m + 1;
  if (n * m > LARGEST_DIFF) return null;
  const longest = new Uint32Array((n + 1) * width); // of the common subsequence of a[start + i ..] and b[start + j ..]
  for (let i = n - 1; i >= 0; i -= 1) {
    for (let j = m - 1; j >= 0; j -= 1) {
      longest[i * width + j] = a[start + i] === b[start + j]
        ? longest[(i + 1) * width + j + 1] + 1
        : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
    }
  }
  const parts = start ? [{same: a.slice(0, start)}] : [];
  const last = (kind) => {
    const part = parts[parts.length - 1];
    if (part && kind in part) return part;
    parts.push(kind === "same" ? {same: []} : {del: [], ins: []});
    return parts[parts.length - 1];
  };
  let i = 0, j = 0;
  while (i < n || j < m) {
    if (i < n && j < m && a[start + i] === b[start + j]) {
      last("same").same.push(a[start + i]);
      i += 1;
      j += 1;
    } else if (j >= m || (i < n && longest[(i + 1) * width + j] >= longest[i * width + j + 1])) {
      last("del").del.push(a[start + i]);
      i += 1;
    } else {
      last("ins").ins.push(b[start + j]);
      j += 1;
    }
  }
  if (end) last("same").same.push(...a.slice(a.length - end));
  return parts;
}

// Islands of common words that are shorter than the edits on both sides join them: they are chance, and hard to read.
function withoutIslands(parts) {
  const size = (part) => Math.max(part.del.length, part.ins.length);
  const result = [];
  parts.forEach((part, index) => {
    const before = result[result.length - 1], after = parts[index + 1];
    const island = part.same && before && before.del && after && part.same.length < Math.min(size(before), size(after));
    if (island) {
      before.del.push(...part.same);
      before.ins.push(...part.same);
    } else if (part.del && before && before.del) {
      before.del.push(...part.del);
      before.ins.push(...part.ins);
    } else result.push(part);
  });
  return result;
}

// Word differences of two texts as [[kind, text]], kind "same", "del" (only in `reference`) or "ins" (only in `text`);
// null where the texts are too long to compare.
function wordDiff(reference, text) {
  const parts = edits(words(reference), words(text));
  if (parts === null) return null;
  return withoutIslands(parts).flatMap((part) => (part.same ? [["same", part.same]] : [["del", part.del], ["ins", part.ins]]))
    .filter(([, list]) => list.length).map(([kind, list]) => [kind, list.join("")]);
}

// A block with `text`, with the differences from `reference` unless that is null.
function textBlock(text, reference) {
  const block = element("div", {class: "text", dir: "auto"});
  const whole = text.length <= LONGEST_SHOWN;
  const shown = whole ? text : text.slice(0, LONGEST_SHOWN);
  const parts = reference === null ? null : wordDiff(reference.slice(0, LONGEST_SHOWN), shown);
  if (parts === null) appendText(block, shown);
  else {
    for (const [kind, part] of parts) {
      const node = kind === "same" ? block : element(kind, {});
      appendText(node, part);
      if (node !== block) block.append(node);
    }
  }
  if (!whole) {
    const rest = element("button", {type: "button"}, `show the other ${(text.length - LONGEST_SHOWN).toLocaleString("en")} characters`);
    rest.addEventListener("click", () => {
      block.textContent = "";
      appendText(block, text);
    });
    block.append(" … ", rest);
  }
  return block;
}
