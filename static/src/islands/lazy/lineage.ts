// <bh-lineage>: the lineage graph. The server prints the cards and {focus, edges}; dagre lays them out, cytoscape holds pan and zoom.
// Cards stay HTML buttons and edges SVG in one transformed layer, so they take focus, follow the theme and can be read out.
import cytoscape from 'cytoscape';
import dagre from 'cytoscape-dagre';
import { all, one } from '../dom.ts';

cytoscape.use(dagre);

type Edge = [string, string];
interface Spec { focus: string; edges: Edge[] }
interface Point { x: number; y: number }

const PAD = 22;
const ZOOM = { least: 0.12, most: 1.6, step: 1.25 };
// Below this zoom, cards cannot be read: the whole is then shown around the focus instead of all at once.
const READABLE = 0.62;

class LineageGraph extends HTMLElement {
  #cy: cytoscape.Core | null = null;
  #spec: Spec = { focus: '', edges: [] };
  #cards = new Map<string, HTMLElement>();
  #paths = new Map<string, SVGPathElement[]>();
  #resize: ResizeObserver | null = null;
  #touched = false;

  connectedCallback(): void {
    const source = one('script[type="application/json"]', this);
    if (!source || this.#cy) return;
    this.#spec = JSON.parse(source.textContent ?? '{}') as Spec;
    all('[data-node]', this).forEach(card => this.#cards.set(card.dataset.node ?? '', card));
    this.addEventListener('click', event => this.#click(event));
    this.addEventListener('keydown', event => this.#key(event));
    this.addEventListener('focusin', event => this.#seen(event));
    this.addEventListener('wheel', event => this.#wheel(event), { passive: false });
    this.addEventListener('pointerdown', event => this.#drag(event));
    void document.fonts.ready.then(() => this.#build());
  }

  disconnectedCallback(): void {
    this.#resize?.disconnect();
    this.#cy?.destroy();
    this.#cy = null;
  }

  #build(): void {
    if (!this.isConnected || this.#cy) return;
    this.classList.add('ready');
    if (!this.#resize) {
      this.#resize = new ResizeObserver(() => { if (!this.#cy) this.#build(); else if (!this.#touched) this.#fit(); });
      this.#resize.observe(this);
    }
    if (!this.clientWidth) return; // a phone shows the list; turned wide, the graph comes
    const cy = this.#cy = cytoscape({ headless: true, styleEnabled: true, minZoom: ZOOM.least, maxZoom: ZOOM.most });
    cy.add([...this.#cards].map(([id, card]) => ({ data: { id, w: card.offsetWidth, h: card.offsetHeight } })));
    cy.add(this.#spec.edges.map(([from, to]) => ({ data: { source: from, target: to } })));
    cy.style().fromJson([{ selector: 'node', style: { shape: 'rectangle', width: 'data(w)', height: 'data(h)' } }]).update();
    const layout = { name: 'dagre', rankDir: 'LR', nodeSep: 26, rankSep: 34, edgeSep: 10, fit: false, animate: false, ranker: 'tight-tree' };
    cy.layout(layout as cytoscape.LayoutOptions).run();
    for (const [id, card] of this.#cards) {
      const { x, y } = this.#corner(id);
      card.style.transform = `translate(${x}px, ${y}px)`;
    }
    this.#edges();
    this.#light(this.#spec.focus);
    cy.on('pan zoom', () => this.#place());
    this.#fit();
  }

  #at(id: string): Point { return this.#cy?.getElementById(id).position() ?? { x: 0, y: 0 }; }
  #corner(id: string): Point {
    const card = this.#cards.get(id), { x, y } = this.#at(id);
    return { x: x - (card?.offsetWidth ?? 0) / 2, y: y - (card?.offsetHeight ?? 0) / 2 };
  }

  #edges(): void {
    const svg = one<SVGSVGElement>('svg', this);
    const named = (path: string, cls: string): SVGPathElement => {
      const element = document.createElementNS('http://www.w3.org/2000/svg', 'path');
      element.setAttribute('d', path);
      element.setAttribute('class', cls);
      svg?.append(element);
      return element;
    };
    for (const [from, to] of this.#spec.edges) {
      const start = this.#cards.get(from), end = this.#cards.get(to);
      if (!start || !end) continue;
      const x1 = this.#at(from).x + start.offsetWidth / 2, y1 = this.#at(from).y;
      const x2 = this.#at(to).x - end.offsetWidth / 2, y2 = this.#at(to).y;
      const bend = Math.max(22, (x2 - x1) * 0.45);
      const dim = start.classList.contains('redacted') || end.classList.contains('redacted') ? ' dim' : '';
      this.#paths.set(`${from} ${to}`, [
        named(`M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - 5 - bend} ${y2} ${x2 - 5} ${y2}`, dim),
        named(`M${x2 - 6} ${y2 - 3.6}L${x2} ${y2}L${x2 - 6} ${y2 + 3.6}Z`, `head${dim}`),
      ]);
    }
  }

  /** What can be reached from a card, itself included. */
  #reach(start: string, down: boolean): Set<string> {
    const met = new Set([start]), stack = [start];
    while (stack.length) {
      const here = stack.pop();
      for (const [from, to] of this.#spec.edges) {
        const [near, far] = down ? [from, to] : [to, from];
        if (near === here && !met.has(far)) { met.add(far); stack.push(far); }
      }
    }
    return met;
  }

  /** Light up every way between the focus and a card; for the focus itself, what touches it. */
  #light(id: string): void {
    const focus = this.#spec.focus;
    const down = this.#reach(focus, true).has(id);
    const [first, last] = down ? [focus, id] : [id, focus];
    const ahead = this.#reach(first, true), behind = this.#reach(last, false);
    let any = false;
    for (const [from, to] of this.#spec.edges) {
      const on = id === focus ? from === focus || to === focus : ahead.has(from) && behind.has(from) && ahead.has(to) && behind.has(to);
      any ||= on;
      for (const path of this.#paths.get(`${from} ${to}`) ?? []) {
        path.classList.toggle('on', on);
        if (on) path.parentElement?.append(path);
      }
    }
    const name = (key: string): string => one<HTMLElement>('.gnh', this.#cards.get(key) ?? this)?.dataset.label ?? '';
    const words = one('[data-leg]', this);
    if (words) words.textContent = id === focus || !any ? `touches ${name(focus)}` : `between ${name(first)} and ${name(last)}`;
    for (const [key, card] of this.#cards) card.toggleAttribute('data-away', any && id !== focus && !(ahead.has(key) && behind.has(key)));
  }

  #choose(id: string): void {
    for (const [key, card] of this.#cards) {
      if (key === id) card.setAttribute('aria-current', 'true');
      else card.removeAttribute('aria-current');
    }
    this.#light(id);
  }

  #click(event: Event): void {
    const target = event.target instanceof Element ? event.target : null;
    const zoom = target?.closest<HTMLElement>('[data-zoom]')?.dataset.zoom;
    if (zoom === 'fit') this.#fit(true);
    else if (zoom) this.#zoom(zoom === 'in' ? ZOOM.step : 1 / ZOOM.step);
    const card = target?.closest('.gnh')?.closest<HTMLElement>('[data-node]');
    if (card) this.#choose(card.dataset.node ?? '');
  }

  // Arrows walk along edges: left and right to the nearest neighbour, up and down among those on the same side.
  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === '+' || event.key === '=') this.#zoom(ZOOM.step);
    else if (event.key === '-') this.#zoom(1 / ZOOM.step);
    else if (event.key === 'f') this.#fit(true);
    else if (event.key.startsWith('Arrow')) {
      const here = document.activeElement?.closest<HTMLElement>('[data-node]')?.dataset.node ?? '';
      const next = here ? this.#next(here, event.key) : this.#spec.focus;
      if (next) one('.gnh', this.#cards.get(next) ?? this)?.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #next(here: string, key: string): string {
    const { x, y } = this.#at(here);
    const edges = this.#spec.edges;
    const beside = key === 'ArrowRight' ? edges.filter(([from]) => from === here).map(([, to]) => to)
      : key === 'ArrowLeft' ? edges.filter(([, to]) => to === here).map(([from]) => from)
        : [...this.#cards.keys()].filter(id => Math.abs(this.#at(id).x - x) < 20 && (key === 'ArrowDown' ? this.#at(id).y > y : this.#at(id).y < y));
    return beside.sort((a, b) => Math.abs(this.#at(a).y - y) - Math.abs(this.#at(b).y - y))[0] ?? '';
  }

  /** Focus by keyboard: the card moves into view. The browser must not scroll the layer itself. */
  #seen(event: FocusEvent): void {
    const card = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-node]') : null;
    const cy = this.#cy;
    this.scrollTo(0, 0);
    if (!card || !cy) return;
    const { x, y } = this.#at(card.dataset.node ?? ''), zoom = cy.zoom(), pan = cy.pan();
    const left = x * zoom + pan.x, top = y * zoom + pan.y, edge = 90;
    const by = (value: number, most: number): number => (value < edge ? edge - value : value > most - edge ? most - edge - value : 0);
    cy.panBy({ x: by(left, this.clientWidth), y: by(top, this.clientHeight) });
  }

  #wheel(event: WheelEvent): void {
    if (!this.#cy) return;
    event.preventDefault();
    this.#touched = true;
    const box = this.getBoundingClientRect();
    if (event.shiftKey) this.#cy.panBy({ x: -event.deltaX - event.deltaY, y: 0 });
    else this.#zoom(Math.exp(-event.deltaY / 400), { x: event.clientX - box.left, y: event.clientY - box.top });
  }

  #drag(event: PointerEvent): void {
    if (event.button !== 0 || (event.target instanceof Element && event.target.closest('.gn, .gzoom, .gleg a'))) return;
    let last = { x: event.clientX, y: event.clientY };
    this.setPointerCapture(event.pointerId);
    this.#touched = true;
    const move = (moved: PointerEvent): void => {
      this.#cy?.panBy({ x: moved.clientX - last.x, y: moved.clientY - last.y });
      last = { x: moved.clientX, y: moved.clientY };
    };
    const end = (): void => { this.removeEventListener('pointermove', move); };
    this.addEventListener('pointermove', move);
    this.addEventListener('pointerup', end, { once: true });
    this.addEventListener('pointercancel', end, { once: true });
  }

  #zoom(by: number, around: Point = { x: this.clientWidth / 2, y: this.clientHeight / 2 }): void {
    this.#touched = true;
    this.#cy?.zoom({ level: this.#cy.zoom() * by, renderedPosition: around });
  }

  /** Everything, as far as it can be read then; `all` of it at any size. */
  #fit(all = false): void {
    const cy = this.#cy;
    this.#touched = false;
    if (!cy || !this.clientWidth) return;
    const box = cy.nodes().boundingBox({});
    const whole = Math.min(1.05, (this.clientWidth - PAD * 2) / box.w, (this.clientHeight - 80) / box.h);
    const zoom = all ? whole : Math.max(whole, READABLE);
    const middle = zoom > whole ? this.#at(this.#spec.focus) : { x: (box.x1 + box.x2) / 2, y: (box.y1 + box.y2) / 2 };
    cy.zoom(zoom);
    cy.pan({ x: this.clientWidth / 2 - middle.x * zoom, y: (this.clientHeight - 24) / 2 - middle.y * zoom });
    this.#place();
  }

  #place(): void {
    const layer = one('.gl', this), cy = this.#cy;
    if (layer && cy) layer.style.transform = `translate(${cy.pan().x}px, ${cy.pan().y}px) scale(${cy.zoom()})`;
  }
}
customElements.define('bh-lineage', LineageGraph);
