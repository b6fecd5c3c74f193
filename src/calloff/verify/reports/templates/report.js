"use strict";
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const byId = id => document.getElementById(id);
const root = document.documentElement;

for (const element of all("[data-script]")) element.hidden = false;

// Dark and light: as the system has it, until the button says otherwise.
const dark = matchMedia("(prefers-color-scheme: dark)");
byId("theme").addEventListener("click", () => {
  const now = root.dataset.theme || (dark.matches ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
});

// The filter. Everything that can go has what it is about as data; a list of verdicts or operations is separated by "|".
const form = byId("filter"), search = byId("words"), level = byId("level"), operation = byId("operation");
const boxes = all("input[name=verdict]", form), shown = byId("shown");
const parts = all("[data-verdicts]").map(element => ({
  element,
  text: element.textContent.toLowerCase(),
  verdicts: element.dataset.verdicts.split("|"),
  level: element.dataset.level || "",
  operations: element.dataset.operations.split("|"),
}));
const columns = all("[data-column]"), maps = all("[data-map]");
function apply() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const verdicts = boxes.filter(box => box.checked).map(box => box.value);
  const wanted = operation.value;
  let count = 0;
  for (const part of parts) {
    const row = part.element.matches("tr");
    const own = wanted && row ? [part.element.querySelector(`[data-column="${wanted}"]`)?.dataset.verdict] : part.verdicts;
    const fits = words.every(word => part.text.includes(word))
      && (!level.value || level.value === part.level)
      && (!wanted || part.operations.includes(wanted))
      && own.some(verdict => verdicts.includes(verdict));
    part.element.hidden = !fits;
    count += row && fits;
  }
  for (const cell of columns) cell.hidden = Boolean(wanted) && cell.dataset.column !== wanted;
  for (const map of maps) map.hidden = Boolean(wanted) && map.dataset.map !== wanted;
  shown.textContent = `${count} of ${parts.filter(part => part.element.matches("tr")).length} requirements shown`;
  for (const table of all("table[data-grid]")) settle(table);
}
form.addEventListener("input", apply);
form.addEventListener("reset", () => setTimeout(apply));
form.addEventListener("submit", event => event.preventDefault());

// A grid: Tab reaches one cell, the arrows go on from there, Enter follows what the cell leads to.
function rowsOf(table) {
  return all("tr", table.tBodies[0]).filter(row => !row.hidden).map(row => [...row.cells].filter(cell => cell.offsetParent !== null));
}
function settle(table) {
  const cells = rowsOf(table).flat();
  if (cells.length && !cells.some(cell => cell.tabIndex === 0)) cells[0].tabIndex = 0;
}
function moveTo(table, cell) {
  for (const other of all("[tabindex='0']", table)) other.tabIndex = -1;
  cell.tabIndex = 0;
  cell.focus();
}
const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
for (const table of all("table[data-grid]")) {
  table.setAttribute("role", "grid");
  table.parentElement.removeAttribute("tabindex");
  for (const cell of all("tbody th, tbody td", table)) cell.tabIndex = -1;
  for (const link of all("tbody a", table)) link.tabIndex = -1;
  settle(table);
  table.addEventListener("keydown", event => {
    const cell = event.target.closest("th, td");
    const rows = rowsOf(table), y = rows.findIndex(row => row.includes(cell));
    if (y < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const x = rows[y].indexOf(cell), last = rows[y].length - 1;
    if (event.key === "Enter") {
      cell.querySelector("a")?.click();
      return;
    }
    const [down, right] = steps[event.key] || (event.key === "Home" ? [0, -x] : event.key === "End" ? [0, last - x] : []);
    if (down === undefined) return;
    event.preventDefault();
    const next = rows[Math.min(Math.max(y + down, 0), rows.length - 1)];
    moveTo(table, next[Math.min(Math.max(x + right, 0), next.length - 1)]);
  });
  table.addEventListener("focusin", event => {
    const cell = event.target.closest("tbody th, tbody td");
    if (cell && cell.tabIndex !== 0 && event.target === cell) moveTo(table, cell);
  });
}

// A link into the page shows what it leads to, whatever is filtered or folded.
document.addEventListener("click", event => {
  const link = event.target.closest('a[href^="#"]');
  const goal = link && byId(decodeURIComponent(link.hash.slice(1)));
  if (!goal) return;
  if (goal.hidden) {
    form.reset();
    apply();
  }
  for (const group of all("details.group", goal)) group.open = true;
  if (goal.tabIndex < 0) goal.focus({ preventScroll: true });
});

document.addEventListener("click", async event => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = byId(button.dataset.copy).textContent, status = byId("status"), label = button.textContent;
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // A page opened as a file, or a browser that was not asked.
    const area = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(area);
    area.select();
    done = document.execCommand("copy");
    area.remove();
    button.focus();
  }
  button.textContent = status.textContent = done ? "Copied" : "Not copied: select the text by hand";
  setTimeout(() => { button.textContent = label; }, 1500);
});

document.addEventListener("keydown", event => {
  if (event.key === "/" && !event.target.closest("input, select, textarea")) {
    event.preventDefault();
    search.focus();
  }
  if (event.key === "Escape" && event.target === search) {
    search.value = "";
    apply();
  }
});
addEventListener("beforeprint", () => { for (const group of all("details")) group.open = true; });
apply();
