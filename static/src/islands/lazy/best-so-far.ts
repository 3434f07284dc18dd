// <bh-best-so-far src>: a point for every run in the order they were made, and the line of the best so far. Runs chosen in the table below
// are drawn in their colours; a click on a point opens its run.
import { one } from '../dom.ts';
import { alpha, axis, css, draw, SYMBOLS, tip } from '../charts.ts';

type Point = [number, number, number, string, string];
interface Strip { metric: string; way: number; total: number; points: Point[]; best: [number, number][]; by: string; series: string[] }

const OUTER_SHARE = 0.02;
const shown = (value: number): string => String(+value.toPrecision(4));

class BestSoFar extends HTMLElement {
  #drawing: ReturnType<typeof draw> | null = null;
  #chosen: string[] = [];

  connectedCallback(): void {
    this.#chosen = this.dataset.run ? [this.dataset.run] : [];
    this.closest('bh-run-table')?.addEventListener('bh:chosen', this.#choose);
    void this.#load();
  }

  disconnectedCallback(): void { this.#drawing?.end(); this.#drawing = null; }

  #choose = (event: Event): void => { this.#chosen = (event as CustomEvent<string[]>).detail; this.#drawing?.(); };

  async #load(): Promise<void> {
    const answer = await fetch(this.getAttribute('src') ?? ''), place = one('.plot', this);
    if (!answer.ok || !place) { this.hidden = true; return; }
    const strip = await answer.json() as Strip;
    if (strip.points.length < 2) { this.hidden = true; return; }
    const last = strip.best.at(-1)?.[1];
    place.setAttribute('aria-label', `${strip.metric} of ${strip.total.toLocaleString('en-US')} runs, best ${last === undefined ? 'unknown' : shown(last)}`);
    this.#legend(strip);
    this.#drawing = draw(place, () => this.#option(strip), strip.points.length * 4);
    this.#drawing.chart()?.on('click', event => {
      const run = (event.data as unknown[] | undefined)?.[2];
      if (typeof run === 'string') location.href = location.pathname.replace(/experiments\/.*/, `runs/${run}`);
    });
  }

  #legend(strip: Strip): void {
    const place = one('.legend', this);
    place?.replaceChildren(...(strip.series.length > 1 ? strip.series : []).map((name, at) => {
      const item = document.createElement('span');
      item.className = 'row tight';
      const dot = document.createElement('i');
      dot.className = 'dot';
      dot.style.cssText = `background:var(--c${at + 1});border-radius:${at % 2 ? '1px' : '50%'};rotate:${at === 2 ? '45deg' : '0deg'}`;
      item.append(dot, name);
      return item;
    }));
  }

  #option(strip: Strip): Record<string, unknown> {
    // A few runs far out would press all others flat, so the axis ends where nearly all are; those beyond sit on its edge.
    const values = strip.points.map(point => point[1]).sort((a, b) => a - b);
    const low = values[0] ?? 0, high = values.at(-1) ?? 1;
    const near = strip.way > 0 ? [values[Math.floor(values.length * OUTER_SHARE)] ?? low, high] : [low, values[Math.ceil(values.length * (1 - OUTER_SHARE)) - 1] ?? high];
    const [bottom = low, top = high] = values.length > 30 ? near : [low, high];
    const edge = (value: number): number => Math.max(bottom, Math.min(top, value));
    const dots = strip.series.map((_, at) => ({
      type: 'scatter', symbol: ['circle', 'rect', 'diamond', 'circle'][at % 4], symbolSize: strip.points.length > 300 ? 4 : 6, large: false,
      itemStyle: { color: css(`--c${at + 1}`), opacity: 0.62 },
      data: strip.points.filter(point => point[2] === at && !this.#chosen.includes(point[3])).map(([n, value, , run, name]) => [n, edge(value), run, name, value]),
    }));
    if (!strip.series.length) dots.push({ type: 'scatter', symbol: 'circle', symbolSize: 5, large: false, itemStyle: { color: css('--c1'), opacity: 0.62 }, data: strip.points.map(([n, value, , run, name]) => [n, edge(value), run, name, value]) });
    const chosen = this.#chosen.map((run, at) => ({
      type: 'scatter', symbol: SYMBOLS[at % 4], symbolSize: 10, z: 6, itemStyle: { color: css(`--c${(at % 8) + 1}`), borderColor: css('--sheet'), borderWidth: 1.5 },
      data: strip.points.filter(point => point[3] === run).map(([n, value, , key, name]) => [n, edge(value), key, name, value]),
    }));
    const best = strip.best.at(-1)?.[1];
    return {
      grid: { left: 20, right: 56, top: 8, bottom: 4, containLabel: true },
      tooltip: tip({ trigger: 'item', formatter: (item: { data: unknown[] }) => `${String(item.data[3] ?? '').replace(/[<&]/g, '')}, ${strip.metric.replace(/[<&]/g, '')} <b>${shown(Number(item.data[4]))}</b>` }),
      xAxis: axis({ type: 'value', min: 1, max: strip.points.at(-1)?.[0] ?? 1, splitLine: { show: false }, axisLabel: { showMaxLabel: false, showMinLabel: false, formatter: (v: number) => `#${v.toLocaleString('en-US')}` } }),
      yAxis: axis({ type: 'value', min: bottom - (top - bottom) * 0.06, max: top + (top - bottom) * 0.04, splitNumber: 2, axisLabel: { showMinLabel: false, showMaxLabel: false, formatter: (v: number) => shown(v) } }),
      series: [...dots, ...chosen, {
        type: 'line', step: 'end', symbol: 'none', z: 5, silent: true, tooltip: { show: false }, data: strip.best.map(([n, value]) => [n, edge(value)]),
        lineStyle: { color: css('--fg'), width: 1.3 }, areaStyle: { color: alpha('--fg', 0) },
        endLabel: { show: best !== undefined, formatter: best === undefined ? '' : shown(best), color: css('--fg'), fontSize: 11, fontWeight: 600, offset: [2, 0] },
      }],
    };
  }
}
customElements.define('bh-best-so-far', BestSoFar);
