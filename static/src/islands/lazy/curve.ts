// <bh-curve label>: metrics of a run by step, given inside as JSON ({series}), or asked from `src` when it comes into view. The server sends the
// least and greatest value of every stretch, so spikes stay; a part that one zooms into is asked anew, with all its points.
import { one } from '../dom.ts';
import { axis, css, DASHES, draw, tip } from '../charts.ts';

interface Series { name: string; color?: number; faint?: boolean; points: [number, number][]; best?: { x: number; y: number } }
interface Answer { curves: { key: string; points: [number, number, number][]; total: number; odd: number; thinned: boolean }[] }

const WAIT_MS = 250;
const shown = (value: number): string => String(+value.toPrecision(4));
const ROLE = /^(train|training|val|valid|validation|test|eval|evaluation)[_/.]/;

class CurveView extends HTMLElement {
  #drawing: ReturnType<typeof draw> | null = null;
  #series: Series[] = [];
  #whole: [number, number] = [0, 1];
  #part: [number, number] | null = null;
  #timer = 0;
  #watch: IntersectionObserver | null = null;

  connectedCallback(): void {
    const source = one('script[type="application/json"]', this);
    if (source) { this.#series = (JSON.parse(source.textContent ?? '{}') as { series: Series[] }).series; this.#paint(); return; }
    this.#watch = new IntersectionObserver(entries => { if (entries.some(entry => entry.isIntersecting)) { this.#watch?.disconnect(); void this.#load(); } }, { rootMargin: '200px' });
    this.#watch.observe(this);
  }

  disconnectedCallback(): void {
    this.#watch?.disconnect();
    clearTimeout(this.#timer);
    this.#drawing?.end();
    this.#drawing = null;
    one(':scope > .plot', this)?.remove();
  }

  async #load(): Promise<void> {
    const query = this.#part ? `&low=${Math.floor(this.#part[0])}&high=${Math.ceil(this.#part[1])}` : '';
    const answer = await fetch((this.getAttribute('src') ?? '') + query);
    if (!answer.ok) return;
    const { curves } = await answer.json() as Answer;
    this.#series = curves.map((curve, at) => ({ name: curves.length > 1 ? ROLE.exec(curve.key)?.[1] ?? curve.key : curve.key, color: at + 1, points: curve.points.map(([step, , value]) => [step, value]) }));
    const said = one('[data-curve-said]', this.closest('.card') ?? this);
    const total = Math.max(0, ...curves.map(curve => curve.total)), odd = curves.reduce((sum, curve) => sum + curve.odd, 0);
    if (said) said.textContent = [curves.some(curve => curve.thinned) ? `${total.toLocaleString('en-US')} points, low and high of each stretch` : '', odd ? `${odd} not a number` : ''].filter(Boolean).join(', ');
    if (this.#drawing) this.#drawing(); else this.#paint();
  }

  #paint(): void {
    const place = document.createElement('div');
    place.className = 'plot';
    place.setAttribute('role', 'img');
    place.setAttribute('aria-label', this.getAttribute('label') ?? 'Curve');
    this.append(place);
    const steps = this.#series.flatMap(series => series.points.map(point => point[0]));
    this.#whole = [Math.min(...steps), Math.max(...steps)];
    this.#drawing = draw(place, () => this.#option(), steps.length);
    if (!this.hasAttribute('src')) return;
    this.#drawing.chart()?.on('datazoom', () => { clearTimeout(this.#timer); this.#timer = window.setTimeout(() => this.#zoomed(), WAIT_MS); });
  }

  #zoomed(): void {
    const zoom = (this.#drawing?.chart()?.getOption() as { dataZoom?: { startValue: number; endValue: number }[] } | undefined)?.dataZoom?.[0];
    if (!zoom) return;
    const [first, last] = this.#whole;
    this.#part = zoom.startValue <= first && zoom.endValue >= last ? null : [zoom.startValue, zoom.endValue];
    void this.#load();
  }

  #option(): Record<string, unknown> {
    const zooms = this.hasAttribute('src');
    return {
      grid: { left: 8, right: this.#series.filter(one => !one.faint).length > 1 ? 46 : 18, top: 16, bottom: 6, containLabel: true },
      xAxis: axis({ type: 'value', min: this.#whole[0], max: this.#whole[1], splitLine: { show: false }, axisLabel: { formatter: (v: number) => v.toLocaleString('en-US') } }),
      yAxis: axis({ type: 'value', scale: true, splitNumber: 4, axisLabel: { formatter: (v: number) => shown(v) } }),
      tooltip: tip({ trigger: 'axis', axisPointer: { type: 'line', lineStyle: { color: css('--line-control') } }, valueFormatter: (value: unknown) => shown(Number(value)) }),
      ...(zooms ? { dataZoom: [{ type: 'inside', filterMode: 'none', zoomOnMouseWheel: 'ctrl', moveOnMouseWheel: false, startValue: this.#part?.[0], endValue: this.#part?.[1] }] } : {}),
      series: this.#series.map((series, at) => ({
        name: series.name, type: 'line', data: series.points, symbol: series.points.length === 1 ? 'circle' : 'none', z: series.faint ? 1 : 3,
        lineStyle: { width: series.faint ? 1.2 : 1.8, opacity: series.faint ? 0.3 : 1, color: css(`--c${series.color ?? 1}`), type: series.faint ? 'solid' : DASHES[at % DASHES.length] },
        itemStyle: { color: css(`--c${series.color ?? 1}`), opacity: series.faint ? 0.3 : 1 },
        endLabel: { show: !series.faint && this.#series.filter(one => !one.faint).length > 1, formatter: '{a}', color: css('--fg-muted'), fontSize: 11 },
        ...(series.best ? { markPoint: { symbol: 'circle', symbolSize: 7, silent: true, data: [{ coord: [series.best.x, series.best.y] }],
          itemStyle: { color: css('--c1'), borderColor: css('--raised'), borderWidth: 2 },
          label: { show: true, position: 'top', distance: 8, formatter: `best ${shown(series.best.y)} at ${series.best.x.toLocaleString('en-US')}`, color: css('--fg'), fontSize: 11, align: series.best.x > (this.#whole[0] + this.#whole[1]) / 2 ? 'right' : 'left' } } } : {}),
      })),
    };
  }
}
customElements.define('bh-curve', CurveView);
