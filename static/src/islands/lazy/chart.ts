// <bh-chart label="…"> with its data in a JSON script element (type Spec below): lines, bars or points over one axis.
// Charts that share a `group` share one cursor. The same figures are one click away as a table.
import { connect } from 'echarts/core';
import { one } from '../dom.ts';
import { alpha, axis, css, DASHES, draw, mark, SYMBOLS, tip } from '../charts.ts';
import type { Option } from '../charts.ts';

interface Series {
  name: string;
  points: [number | string, number | null][];
  color?: number;
  faint?: boolean;
  area?: boolean;
  dash?: number;
}
interface Mark { x?: number | string; y?: number; label: string; tone?: string }
interface Spec {
  type?: 'line' | 'bar' | 'scatter';
  x?: { name?: string; type?: 'value' | 'time' | 'category'; min?: number | string; max?: number | string };
  y?: { name?: string; zero?: boolean; log?: boolean; min?: number; max?: number };
  series: Series[];
  marks?: Mark[];
  group?: string;
  stack?: boolean;
}

const TABLE_ROWS = 200;

const shown = (value: unknown, type?: string): string =>
  type === 'time' && value !== undefined ? new Date(value as string | number).toLocaleString() : value === null || value === undefined ? 'null' : String(value);

const option = (spec: Spec): Option => {
  const kind = spec.type ?? 'line';
  const marks = (spec.marks ?? []).map(item => mark({ ...(item.y === undefined ? { xAxis: item.x } : { yAxis: item.y }) }, item.label, `--${item.tone ?? 'bad'}-fg`));
  return {
    grid: { left: 6, right: kind === 'line' ? 74 : 10, top: spec.y?.name ? 26 : 12, bottom: spec.x?.name ? 20 : 4, containLabel: true },
    xAxis: axis({ type: spec.x?.type ?? 'value', name: spec.x?.name, nameLocation: 'middle', nameGap: 22, min: spec.x?.min, max: spec.x?.max, splitLine: { show: false } }),
    yAxis: axis({ type: spec.y?.log ? 'log' : 'value', name: spec.y?.name, scale: !(spec.y?.zero ?? kind === 'bar'), min: spec.y?.min, max: spec.y?.max }),
    tooltip: tip({ trigger: kind === 'scatter' ? 'item' : 'axis', axisPointer: { type: 'line', lineStyle: { color: css('--line-control') } } }),
    series: spec.series.map((series, index) => {
      const colour = `--c${(((series.color ?? index + 1) - 1) % 8) + 1}`;
      return {
        name: series.name,
        type: kind,
        data: series.points,
        stack: spec.stack ? 'all' : undefined,
        symbol: kind === 'scatter' ? SYMBOLS[index % SYMBOLS.length] : 'none',
        symbolSize: 7,
        connectNulls: false,
        lineStyle: { width: 1.6, opacity: series.faint ? 0.3 : 1, type: DASHES[(series.dash ?? index) % DASHES.length], color: css(colour) },
        itemStyle: { color: css(colour), opacity: series.faint ? 0.3 : 1 },
        ...(series.area ? { areaStyle: { color: alpha(colour, 0.13) } } : {}),
        ...(kind === 'line' && !series.faint ? { endLabel: { show: true, formatter: '{a}', color: css('--fg-muted'), fontSize: 11 } } : {}),
        ...(index === 0 && marks.length ? { markLine: { silent: true, symbol: 'none', data: marks } } : {}),
      };
    }),
  };
};

class ChartView extends HTMLElement {
  #drawing: ReturnType<typeof draw> | null = null;

  connectedCallback(): void {
    const source = one('script[type="application/json"]', this);
    if (!source || this.#drawing) return;
    const spec = JSON.parse(source.textContent ?? '{}') as Spec;
    const place = document.createElement('div');
    place.className = 'plot';
    place.setAttribute('role', 'img');
    place.setAttribute('aria-label', this.getAttribute('label') ?? 'Chart');
    this.append(place, this.#table(spec));
    this.#drawing = draw(place, () => option(spec), spec.series.reduce((sum, series) => sum + series.points.length, 0));
    const chart = this.#drawing.chart();
    if (chart && spec.group) {
      chart.group = spec.group;
      connect(spec.group);
    }
  }

  disconnectedCallback(): void {
    this.#drawing?.end();
    this.#drawing = null;
    this.querySelectorAll(':scope > .plot, :scope > details').forEach(part => part.remove());
  }

  #table(spec: Spec): HTMLElement {
    const box = document.createElement('details');
    box.className = 'chartdata';
    const head = document.createElement('summary');
    head.textContent = 'As a table';
    box.append(head);
    box.addEventListener('toggle', () => { if (box.open && !one('table', box)) box.append(rows(spec)); });
    return box;
  }
}

const rows = (spec: Spec): HTMLElement => {
  const table = document.createElement('table');
  table.className = 'dt s';
  const head = table.createTHead().insertRow();
  for (const title of [spec.x?.name ?? 'x', ...spec.series.map(series => series.name)]) {
    const cell = document.createElement('th');
    cell.scope = 'col';
    cell.textContent = title;
    head.append(cell);
  }
  const byX = new Map<number | string, (number | null | undefined)[]>();
  spec.series.forEach((series, index) => series.points.forEach(([x, y]) => { const row = byX.get(x) ?? []; row[index] = y; byX.set(x, row); }));
  const body = table.createTBody();
  for (const [x, values] of [...byX].slice(0, TABLE_ROWS)) {
    const row = body.insertRow();
    row.insertCell().textContent = shown(x, spec.x?.type);
    spec.series.forEach((_, index) => { row.insertCell().textContent = shown(values[index]); });
  }
  const wrap = document.createElement('div');
  wrap.className = 'dtwrap';
  wrap.tabIndex = 0;
  wrap.append(table);
  if (byX.size > TABLE_ROWS) wrap.append(Object.assign(document.createElement('p'), { className: 'muted t12', textContent: `The first ${TABLE_ROWS} of ${byX.size}.` }));
  return wrap;
};

customElements.define('bh-chart', ChartView);
