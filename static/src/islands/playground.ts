// <bh-playground src="/serving-endpoints/…/invocations">: a form made from the model's signature. Sends one row, shows the answer, time and status,
// and keeps the same request as JSON for copying.
import { all, one } from './dom.ts';

type Cell = string | number | boolean | null;

/** The value of one field in the type that the signature names; empty is null. */
export const cell = (type: string, text: string): Cell => {
  if (text === '') return null;
  if (/^(long|integer|int|int32|int64)$/.test(type)) return Number.parseInt(text, 10);
  if (/^(double|float|float32|float64)$/.test(type)) return Number(text);
  if (/^bool/.test(type)) return text === 'true' || text === 'on';
  return text;
};

/** What is wrong with what was typed for a column, or the empty text. */
export const fault = (type: string, text: string, required: boolean): string => {
  if (text.trim() === '') return required ? 'The signature needs a value here.' : '';
  if (/^(long|integer|int|int32|int64)$/.test(type) && !/^\s*-?\d+\s*$/.test(text)) return 'A whole number.';
  if (/^(double|float|float32|float64)$/.test(type) && Number.isNaN(Number(text))) return 'A number, such as 12.5.';
  return '';
};

class Playground extends HTMLElement {
  connectedCallback(): void {
    const form = one<HTMLFormElement>('form', this);
    if (!form) return;
    form.addEventListener('input', event => { this.#write(form); if (event.target instanceof HTMLElement) this.#mark(event.target, ''); });
    form.addEventListener('submit', event => { event.preventDefault(); void this.#send(form); });
    this.#write(form);
  }

  #body(form: HTMLFormElement): string {
    const raw = one<HTMLTextAreaElement>('textarea[data-body]', form);
    if (raw && raw.offsetParent !== null && !one('[data-column]', form)) return raw.value;
    const row: Record<string, Cell> = {};
    for (const field of all<HTMLInputElement | HTMLSelectElement>('[data-column]', form)) row[field.dataset.column ?? ''] = cell(field.dataset.type ?? 'string', field.value);
    return JSON.stringify({ dataframe_records: [row] }, null, 2);
  }

  /** Marks every field that cannot be sent; the first of them. */
  #check(form: HTMLFormElement): HTMLElement | undefined {
    let first: HTMLElement | undefined;
    for (const field of all<HTMLInputElement | HTMLSelectElement>('[data-column]', form)) {
      const sentence = fault(field.dataset.type ?? 'string', field.value, field.dataset.required !== undefined && !/^str/.test(field.dataset.type ?? 'string'));
      this.#mark(field, sentence);
      if (sentence) first ??= field;
    }
    return first;
  }

  /** Shows a sentence beside a field, or takes it away. */
  #mark(field: HTMLElement, sentence: string): void {
    const box = one(`#${field.id}-err`, this);
    if (!box) return;
    box.textContent = sentence;
    box.hidden = !sentence;
    field.toggleAttribute('aria-invalid', Boolean(sentence));
    if (sentence) { field.setAttribute('aria-invalid', 'true'); field.setAttribute('aria-describedby', box.id); } else field.removeAttribute('aria-describedby');
  }

  /** The model's own complaint, beside the column that it names. */
  #blame(form: HTMLFormElement, text: string): void {
    const named = all<HTMLElement>('[data-column]', form).filter(field => new RegExp(`['"\u201c\u2018\\s]${(field.dataset.column ?? '').replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}['"\u201d\u2019\\s:]`).test(text));
    const [field] = named;
    if (named.length === 1 && field) { this.#mark(field, 'The model refused this value; see the answer.'); field.focus(); }
  }

  #write(form: HTMLFormElement): void {
    const shown = one('[data-request]', this);
    if (shown) shown.textContent = this.#body(form);
  }

  async #send(form: HTMLFormElement): Promise<void> {
    const answer = one('[data-answer]', this), status = one('[data-status]', this), button = one('button[type=submit]', form);
    if (!answer || !status) return;
    const wrong = this.#check(form);
    if (wrong) { wrong.focus(); return; }
    const workspace = this.getAttribute('workspace') ?? '';
    const token = one<HTMLMetaElement>('meta[name=csrf-token]')?.content ?? '';
    button?.setAttribute('aria-busy', 'true');
    const from = performance.now();
    try {
      const response = await fetch(this.getAttribute('src') ?? '', { method: 'POST', headers: { 'Content-Type': 'application/json', 'X-CSRFToken': token, 'X-Boathouse-Workspace': workspace }, body: this.#body(form) });
      const text = await response.text();
      status.textContent = `${response.status}, ${Math.round(performance.now() - from)} ms`;
      status.className = `badge ${response.ok ? 'ok' : 'bad'}`;
      status.hidden = false;
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it came */ }
      answer.textContent = shown;
      const big = one('[data-prediction]', this);
      if (big) big.textContent = response.ok ? firstPrediction(text) : '';
      if (response.status >= 400 && response.status < 500) this.#blame(form, text);
    } catch {
      status.textContent = 'no answer';
      status.className = 'badge bad';
      status.hidden = false;
      answer.textContent = 'The endpoint did not answer. It may be starting: try again in a few seconds.';
    }
    button?.removeAttribute('aria-busy');
  }
}

/** The first prediction in an answer, as short text; empty when there is none to show. */
export const firstPrediction = (text: string): string => {
  try {
    const first: unknown = (JSON.parse(text) as { predictions?: unknown[] }).predictions?.[0];
    if (typeof first === 'number') return String(Math.round(first * 1000) / 1000).replace('-', '−');
    return first === undefined || first === null || typeof first === 'object' ? '' : String(first);
  } catch { return ''; }
};
customElements.define('bh-playground', Playground);
