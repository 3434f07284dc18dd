// <bh-cells data-row-page="…?version=3">: cells of rows take the focus, arrows walk, Enter or a click opens the menu #cellmenu.
import { all, one, toast } from '../dom.ts';

class Cells extends HTMLElement {
  connectedCallback(): void {
    const first = one<HTMLTableCellElement>('tbody td', this);
    if (first) first.tabIndex = 0;
    this.addEventListener('click', event => this.#open(event));
    this.addEventListener('contextmenu', event => this.#open(event));
    this.addEventListener('keydown', event => this.#key(event));
  }

  #cell(event: Event): HTMLTableCellElement | null {
    return event.target instanceof Element ? event.target.closest<HTMLTableCellElement>('tbody td') : null;
  }

  #focus(cell: HTMLTableCellElement): void {
    all<HTMLTableCellElement>('td[tabindex="0"]', this).forEach(other => { other.tabIndex = -1; });
    cell.tabIndex = 0;
    cell.focus();
  }

  #key(event: KeyboardEvent): void {
    const cell = this.#cell(event);
    const row = cell?.parentElement;
    if (!cell || !(row instanceof HTMLTableRowElement)) return;
    const beside = (other: Element | null): HTMLTableCellElement | null => other instanceof HTMLTableRowElement ? other.cells[cell.cellIndex] ?? null : null;
    const next = {
      ArrowLeft: cell.previousElementSibling, ArrowRight: cell.nextElementSibling,
      ArrowUp: beside(row.previousElementSibling), ArrowDown: beside(row.nextElementSibling),
      Home: row.cells[0], End: row.cells[row.cells.length - 1],
    }[event.key];
    if (next instanceof HTMLTableCellElement) { event.preventDefault(); this.#focus(next); }
    if (event.key === 'Enter' || event.key === 'ContextMenu') this.#open(event);
  }

  #open(event: Event): void {
    const cell = this.#cell(event), menu = document.getElementById('cellmenu');
    // A drag that selected text is no click on the cell.
    if (!cell || !menu || (event.type === 'click' && String(getSelection()) !== '')) return;
    event.preventDefault();
    event.stopPropagation();
    this.#focus(cell);
    const key = cell.parentElement?.dataset.key ?? '';
    const column = all('thead th .mono', this)[cell.cellIndex]?.textContent ?? '';
    const page = new URL(this.dataset.rowPage ?? '', location.href);
    page.searchParams.set('key', key);
    const items: Record<string, HTMLElement> = Object.fromEntries(all('[data-cell]', menu).map(item => [item.dataset.cell ?? '', item]));
    const talk = this.dataset.talkPage;
    const shown: Record<string, boolean> = { key: key === '', copy: true, talk: talk !== undefined, rowtalk: talk !== undefined };
    for (const [name, item] of Object.entries(items)) item.hidden = !(shown[name] ?? key !== '');
    if (talk !== undefined) {
      const place = new URL(talk, location.href), number = cell.parentElement?.dataset.number ?? '';
      place.hash = 'talk';
      place.searchParams.set('at', number);
      (items['rowtalk'] as HTMLAnchorElement).href = place.href;
      place.searchParams.set('at', `${number}:${column}`);
      (items['talk'] as HTMLAnchorElement).href = place.href;
    }
    (items['row'] as HTMLAnchorElement).href = page.href;
    page.searchParams.set('column', column);
    (items['history'] as HTMLAnchorElement).href = page.href;
    items['copy']!.onclick = () => { menu.hidden = true; void navigator.clipboard.writeText(cell.textContent ?? '').then(() => toast('Copied')); cell.focus(); };
    menu.hidden = false;
    const box = cell.getBoundingClientRect(), size = menu.getBoundingClientRect();
    menu.style.position = 'fixed';
    menu.style.inset = 'auto';
    menu.style.insetBlockStart = `${box.bottom + size.height > innerHeight ? box.top - size.height : box.bottom}px`;
    menu.style.insetInlineStart = `${Math.max(8, Math.min(box.left, innerWidth - size.width - 8))}px`;
    all('[data-cell]', menu).find(item => !item.hidden)?.focus();
  }
}
customElements.define('bh-cells', Cells);
document.addEventListener('keydown', event => {
  const menu = document.getElementById('cellmenu');
  if (event.key !== 'Escape' || !menu || menu.hidden) return;
  menu.hidden = true;
  one<HTMLTableCellElement>('bh-cells td[tabindex="0"]')?.focus();
});
