// Makes elements and changes those that stand. Data becomes text here and nowhere else, by text nodes: the page knows
// no other way (the policy "require-trusted-types-for 'script'" makes any other an error of the browser).

/** An element. An attribute that is null or false is left out, one that is true is empty; children are nodes, texts,
 * numbers, lists of them, or null. */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

/** A value of the gateway: no translator changes it. */
export const raw = (text, tag = "span", attributes = {}) => el(tag, { translate: "no", ...attributes }, text);

/** A number with its exact value beside what is shown of it. */
export const figure = (value, shown) => el("data", { value: String(value), translate: "no" }, shown);

/** An address that may become a link: https, or http on this machine; else null. */
export function safeAddress(text) {
  try {
    const url = new URL(text);
    const here = ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname);
    return url.protocol === "https:" || (url.protocol === "http:" && here) ? url.href : null;
  } catch {
    return null;
  }
}

/** Make the children of `old` equal to `wanted` and keep what is equal: the focus, a selection and an open table stay
 * where they are while numbers change. */
export function show(old, ...wanted) {
  const children = el("div", {}, ...wanted).childNodes;
  changeChildren(old, [...children]);
}

function changeChildren(old, wanted) {
  for (const [place, child] of wanted.entries()) {
    const standing = standingAt(old, place, child);
    if (standing === undefined) old.append(child);
    else if (same(standing, child)) change(standing, child);
    else standing.replaceWith(child);
  }
  while (old.childNodes.length > wanted.length) old.lastChild.remove();
}

// With a key an element is found wherever it stands and moved to its place.
function standingAt(old, place, child) {
  const key = child.dataset?.key;
  const there = old.childNodes[place];
  if (key === undefined || there?.dataset?.key === key) return there;
  const found = [...old.children].find((each) => each.dataset.key === key);
  if (found) old.insertBefore(found, there ?? null);
  else if (there) return old.insertBefore(child, there);
  return found ?? there;
}

function same(standing, child) {
  return (
    standing === child ||
    (standing.nodeName === child.nodeName && standing.dataset?.key === child.dataset?.key)
  );
}

function change(standing, child) {
  if (standing === child) return;
  if (standing.nodeType === Node.TEXT_NODE) {
    if (standing.data !== child.data) standing.data = child.data;
    return;
  }
  for (const { name } of [...standing.attributes]) {
    const own = name === "open" && standing.nodeName === "DETAILS"; // its reader has opened it
    if (!own && !child.hasAttribute(name)) standing.removeAttribute(name);
  }
  for (const { name, value } of child.attributes) {
    if (standing.getAttribute(name) !== value) standing.setAttribute(name, value);
  }
  if (!child.hasAttribute("data-keep")) changeChildren(standing, [...child.childNodes]);
}

/** A button that the page's one listener of clicks answers by `action` (see page.js). */
export function button(action, text, attributes = {}) {
  return el("button", { type: "button", "data-action": action, ...attributes }, text);
}

/** A table whose cells know their columns, so that it can be read as a list where it is too narrow for columns. The
 * roles say what CSS would take away there. */
export function table(caption, columns, bodies) {
  const head = columns.map(({ text, number }) =>
    el("th", { scope: "col", role: "columnheader", class: number ? "number" : null }, text),
  );
  return el(
    "table",
    { role: "table" },
    el("caption", {}, caption),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, head)),
    bodies,
  );
}

/** A cell of it. `column` names it where there are no columns. */
export function cell(column, ...children) {
  const numeric = column.number ? "number" : null;
  return el("td", { role: "cell", "data-column": column.text, class: numeric }, el("div", {}, ...children));
}

/** A row of it. */
export const row = (key, ...cells) => el("tr", { role: "row", "data-key": key }, ...cells);
