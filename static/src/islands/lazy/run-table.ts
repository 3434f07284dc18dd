// <bh-run-table src counts newest every>: keeps a printed run table alive. Values of running runs change in their cells, new runs become
// a chip; nothing moves. Chosen rows get the colours that charts draw them in, and tell others by the event bh:chosen.
import { all, one } from '../dom.ts';

const COLOURS = 8;

class RunTable extends HTMLElement {
  #timer = 0;
  #failed = 0;

  connectedCallback(): void {
    this.addEventListener('click', this.#chosen);
    void this.#count();
    this.#plan();
  }

  disconnectedCallback(): void { clearTimeout(this.#timer); }

  #chosen = (): void => {
    requestAnimationFrame(() => {
      const runs: string[] = [];
      for (const row of all('tr[data-run]', this)) {
        const swatch = one('.swatch', row);
        if (!one<HTMLInputElement>('input.check', row)?.checked) { swatch?.style.removeProperty('--c'); continue; }
        swatch?.style.setProperty('--c', `var(--c${(runs.length % COLOURS) + 1})`);
        runs.push(row.dataset.run ?? '');
      }
      this.dispatchEvent(new CustomEvent('bh:chosen', { detail: runs }));
    });
  };

  /** How many each saved view and this search find; asked after the page is there, because counting may take longer than it. */
  async #count(): Promise<void> {
    const places = all('[data-count]', this), src = this.getAttribute('counts');
    if (!src || !places.length) return;
    const answer = await fetch(src + location.search);
    if (!answer.ok) { places.forEach(place => { place.textContent = ''; }); return; }
    const counts = await answer.json() as Record<string, number>;
    for (const place of places) {
      const found = counts[place.dataset.count ?? ''];
      const said = found === undefined ? '' : found.toLocaleString('en-US');
      place.textContent = place.classList.contains('count') ? said : said && ` of ${said}`;
    }
  }

  #plan(): void {
    const seconds = Math.max(2, Number(this.getAttribute('every')) || 5) * 2 ** Math.min(this.#failed, 5);
    this.#timer = window.setTimeout(() => void this.#ask(), seconds * 1000);
  }

  async #ask(): Promise<void> {
    const src = this.getAttribute('src');
    if (!src || document.hidden) return this.#plan();
    const query = new URLSearchParams(location.search);
    query.delete('run');
    query.delete('page_token');
    query.set('since', this.getAttribute('newest') ?? '0');
    all('tr[data-live]', this).forEach(row => query.append('run', row.dataset.run ?? ''));
    query.delete('c');
    for (const head of all('thead [data-column]', this)) {
      query.append('c', head.dataset.column ?? '');
      for (const end of ['low', 'high'] as const) if (head.dataset[end]) query.set(`${end}.${head.dataset.column}`, head.dataset[end] ?? '');
    }
    try {
      const answer = await fetch(`${src}?${query}`, { headers: { 'HX-Request': 'true', 'HX-Request-Type': 'partial' } });
      if (answer.status === 401 || answer.status === 404) return;
      if (!answer.ok) throw new Error(String(answer.status));
      this.#show(new DOMParser().parseFromString(await answer.text(), 'text/html'));
      this.#failed = 0;
    } catch { this.#failed += 1; }
    if (this.isConnected) this.#plan();
  }

  #show(answer: Document): void {
    for (const fresh of all('tr[data-run]', answer)) {
      const row = one<HTMLTableRowElement>(`tr[data-run="${CSS.escape(fresh.dataset.run ?? '')}"]`, this);
      if (!row || row.cells.length !== (fresh as HTMLTableRowElement).cells.length) continue;
      for (let place = 2; place < row.cells.length; place += 1) {
        const cell = row.cells[place], now = (fresh as HTMLTableRowElement).cells[place];
        if (!cell || !now || cell.innerHTML === now.innerHTML) continue;
        const told = cell.textContent !== now.textContent;
        cell.className = now.className;
        cell.replaceChildren(...now.childNodes);
        if (told) { cell.classList.add('changedcell'); setTimeout(() => cell.classList.remove('changedcell'), 1700); }
      }
      if (!fresh.hasAttribute('data-live')) row.removeAttribute('data-live');
    }
    const count = Number(one('table', answer)?.dataset.fresh ?? 0), chip = one('.fresh', this);
    if (chip && count) {
      chip.hidden = false;
      const words = one('span', chip), said = `${count >= 1000 ? 'over 1,000' : count} new run${count === 1 ? '' : 's'}`;
      if (words && words.textContent !== said) words.textContent = said;
    }
  }
}
customElements.define('bh-run-table', RunTable);
