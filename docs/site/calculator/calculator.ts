// The form on the page about signing. Nothing typed into it leaves the page or outlives it.
import { examples } from "./examples.js";
import { ALGORITHMS, compared, reason, type Stages } from "./stages.js";

type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

const form = document.querySelector<HTMLFormElement>("#calculator-form");
if (form) start(form);

function start(form: HTMLFormElement): void {
  const fields = [...form.querySelectorAll<Field>("[data-field]")];
  const result = need(form, "#stages", HTMLElement);
  const message = need(form, "#calculator-message", HTMLElement);
  const algorithm = need(form, "#algorithm", HTMLSelectElement);
  const example = need(form, "#example", HTMLSelectElement);
  const yours = need(form, "#yours", HTMLTextAreaElement);
  const verdict = need(form, "#verdict", HTMLElement);
  let stages: Stages = {};

  function update(): void {
    for (const part of form.querySelectorAll<HTMLElement>("[data-only]")) {
      part.hidden = !part.dataset.only?.split(" ").includes(algorithm.value);
    }
    const given = Object.fromEntries(fields.map((one) => [one.dataset.field ?? "", one.value]));
    try {
      stages = ALGORITHMS[algorithm.value]?.(given) ?? {};
      message.textContent = "";
    } catch (error) {
      stages = {};
      message.textContent = `Cannot be signed: ${reason(error)}.`;
    }
    result.replaceChildren(...Object.entries(stages).flatMap(shown));
    verdict.textContent =
      yours.value && Object.keys(stages).length > 0 ? compared(yours.value, stages) : "";
  }

  function offerExamples(): void {
    const names = Object.keys(examples[algorithm.value] ?? {});
    example.replaceChildren(...names.map((name) => new Option(name, name)));
  }

  function fill(): void {
    const values = examples[algorithm.value]?.[example.value] ?? {};
    for (const one of fields) one.value = values[one.dataset.field ?? ""] ?? "";
    update();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
  });
  form.addEventListener("input", (event) => {
    if (event.target === algorithm) offerExamples();
    if (event.target === algorithm || event.target === example) fill();
    else update();
  });
  offerExamples();
  fill();
  form.hidden = false;
}

/** One stage: its name, and its text with every line break to be seen. */
function shown([name, text]: [string, string]): HTMLElement[] {
  const title = document.createElement("h4");
  title.textContent = name;
  const block = document.createElement("pre");
  block.tabIndex = 0;
  block.dataset.stage = name;
  for (const piece of text.split(/(\n)/)) {
    const part = document.createElement("span");
    if (piece === "\n") part.className = "line-break";
    part.textContent = piece;
    block.append(part);
  }
  return [title, block];
}

function need<T extends Element>(form: HTMLFormElement, selector: string, kind: new () => T): T {
  const found = form.querySelector(selector);
  if (!(found instanceof kind)) throw new Error(`the page has no ${selector}`);
  return found;
}
