// <bh-compare src history>: parallel coordinates, curves and scatter of runs with one selection for all of them: what is kept on an axis is kept
// everywhere. The choice of axes, ranges and looks is in the address, so a view of runs is a link.
import { all, icon, one } from '../dom.ts';
import { alpha, axis, css, DASHES, draw, SYMBOLS, tip } from '../charts.ts';
import { shown, smoothed } from './compare/figures.ts';
import type { Answer, Axis, History, Range } from './compare/figures.ts';

const KEPT_ROWS = 50;
const LOG_ABOVE = 80;
type Drawing = ReturnType<typeof draw>;
const plain = (text: string): string => text.replace(/[<>&]/g, ' ');

class Compare extends HTMLElement {
  #answer: Answer | null = null;
  #history: History | null = null;
  #axes: string[] = [];
  #kept = new Map<string, Range[]>();
  #drawings: { parallel?: Drawing; history?: Drawing; scatter?: Drawing } = {};
  #x = 'step';
  #log = false;
  #smooth = 0;

  connectedCallback(): void {
    const state = new URLSearchParams(location.search);
    this.#axes = state.getAll('axis');
    for (const text of state.getAll('keep')) {
      const [, key = '', low = '', high = ''] = /^(.*)~([^~]*)~([^~]*)$/.exec(text) ?? [];
      if (key && low !== '' && high !== '') this.#kept.set(key, [...(this.#kept.get(key) ?? []), [Number(low), Number(high)]]);
    }
    this.#x = state.get('x') ?? 'step';
    this.#log = state.get('log') === 'on';
    this.#smooth = Number(state.get('smooth') ?? 0) || 0;
    this.#controls(state);
    void this.#load();
    void this.#loadHistory();
  }

  disconnectedCallback(): void { Object.values(this.#drawings).forEach(drawing => drawing.end()); this.#drawings = {}; }

  async #load(): Promise<void> {
    const answer = await fetch(this.getAttribute('src') ?? '');
    if (!answer.ok) return;
    const found = this.#answer = await answer.json() as Answer;
    const known = new Set(found.axes.map(id));
    this.#axes = this.#axes.filter(key => known.has(key));
    if (!this.#axes.length) this.#axes = found.chosen;
    this.#choices(found);
    this.#axesList(found);
    const places = { parallel: one('[data-parallel]', this), scatter: one('[data-scatter]', this) };
    if (places.parallel) {
      this.#drawings.parallel = draw(places.parallel, () => this.#parallel(found), found.runs.length * this.#axes.length * 3);
      this.#drawings.parallel.chart()?.on('axisareaselected', event => this.#brushed(event as unknown as Brushed));
      addEventListener('themechange', this.#restore);
      this.#restore();
    }
    if (places.scatter) this.#drawings.scatter = draw(places.scatter, () => this.#scatter(found), found.runs.length);
    this.#tell();
  }

  async #loadHistory(): Promise<void> {
    const metric = one<HTMLSelectElement>('[data-metric-choice]', this)?.value || this.dataset.metric, place = one('[data-history]', this);
    if (!metric || !place) return;
    const query = new URLSearchParams([['metric', metric], ...all('[data-legend] [data-run]', this).map(row => ['run', row.dataset.run ?? ''])]);
    const answer = await fetch(`${this.getAttribute('history')}?${query}`);
    if (!answer.ok) return;
    this.#history = await answer.json() as History;
    const empty = !this.#history.runs.some(run => run.points.length > 1);
    place.classList.toggle('nothing', empty);
    if (empty) {
      this.#drawings.history?.end();
      delete this.#drawings.history;
      place.replaceChildren(Object.assign(document.createElement('p'), { className: 'muted t12', textContent: `These runs have no history of ${metric}, only its latest value.` }));
      return;
    }
    if (!this.#drawings.history) place.replaceChildren();
    place.setAttribute('aria-label', `${metric} of ${this.#history.runs.length} runs`);
    if (this.#drawings.history) this.#drawings.history();
    else this.#drawings.history = draw(place, () => this.#curves(), this.#history.runs.reduce((sum, run) => sum + 2 * run.points.length, 0));
  }

  // ── One selection ──────────────────────────────────────────
  #keeps(run: number): boolean {
    return this.#axes.every(key => {
      const ranges = this.#kept.get(key), values = this.#answer?.axes.find(one => id(one) === key)?.values;
      if (!ranges?.length || !values) return true;
      const value = values[run];
      return value !== null && value !== undefined && ranges.some(([low, high]) => value >= low && value <= high);
    });
  }

  #brushed(event: Brushed): void {
    const key = this.#axes[Number(String(event.parallelAxisId ?? '').replace('axis', ''))];
    if (!key) return;
    // An axis that runs downwards tells its ranges the other way round.
    const ranges = (event.intervals ?? []).filter(range => range.length === 2).map(range => [Math.min(...range), Math.max(...range)] as Range);
    if (ranges.length) this.#kept.set(key, ranges); else this.#kept.delete(key);
    this.#tell();
  }

  #restore = (): void => {
    const chart = this.#drawings.parallel?.chart();
    this.#axes.forEach((key, at) => { const ranges = this.#kept.get(key); if (ranges) chart?.dispatchAction({ type: 'axisAreaSelect', parallelAxisId: `axis${at}`, intervals: ranges }); });
  };

  #tell(): void {
    const answer = this.#answer;
    if (!answer) return;
    const kept = answer.runs.map((_, run) => this.#keeps(run)), count = kept.filter(Boolean).length, brushed = this.#axes.some(key => this.#kept.has(key));
    const said = one('[data-kept]', this), reset = one('[data-reset]', this);
    if (said) said.textContent = brushed ? `${count} of ${answer.runs.length} runs kept` : `drag on an axis to keep a range, ${answer.runs.length}${answer.more ? ' newest' : ''} runs`;
    if (reset) reset.hidden = !brushed;
    all('[data-legend] [data-run]', this).forEach(row => {
      const at = answer.runs.findIndex(run => run[0] === row.dataset.run);
      row.toggleAttribute('data-faded', at >= 0 && !kept[at]);
    });
    this.#rows(answer, kept, brushed);
    this.#drawings.scatter?.();
    this.#drawings.history?.();
    this.#remember();
  }

  #rows(answer: Answer, kept: boolean[], brushed: boolean): void {
    const card = one('[data-keptcard]', this), table = one<HTMLTableElement>('[data-keptrows]', this), said = one('[data-keptcount]', this);
    if (!card || !table) return;
    card.hidden = !brushed;
    if (!brushed) return;
    const axes = this.#axes.map(key => answer.axes.find(one => id(one) === key)).filter((one): one is Axis => Boolean(one));
    const goal = answer.axes.find(one => id(one) === answer.goal);
    const runs = answer.runs.map((_, at) => at).filter(at => kept[at]);
    if (goal) runs.sort((a, b) => ((goal.values[a] ?? Infinity) - (goal.values[b] ?? Infinity)) * (answer.way > 0 ? -1 : 1));
    if (said) said.textContent = runs.length > KEPT_ROWS ? `the first ${KEPT_ROWS} of ${runs.length}` : `${runs.length}`;
    table.replaceChildren();
    const head = table.createTHead().insertRow();
    for (const title of ['Run', ...axes.map(one => one.key)]) head.append(Object.assign(document.createElement('th'), { scope: 'col', textContent: title }));
    const body = table.createTBody(), workspace = location.pathname.split('/experiments/')[0];
    for (const at of runs.slice(0, KEPT_ROWS)) {
      const row = body.insertRow(), [run = '', name = ''] = answer.runs[at] ?? [];
      row.insertCell().append(Object.assign(document.createElement('a'), { className: 'name', href: `${workspace}/runs/${run}`, textContent: name }));
      for (const one of axes) row.insertCell().textContent = worded(one, one.values[at]);
    }
  }

  // ── Drawings ───────────────────────────────────────────────
  #parallel(answer: Answer): Record<string, unknown> {
    const axes = this.#axes.map(key => answer.axes.find(one => id(one) === key)).filter((one): one is Axis => Boolean(one));
    const row = (run: number): (number | string)[] => axes.map(one => one.values[run] ?? '-');
    const every = answer.runs.map((_, run) => row(run)), line = css('--line-control');
    const many = answer.runs.length > 60;
    return {
      tooltip: { show: false },
      parallel: { left: 60, right: 66, top: 34, bottom: 16, layout: 'horizontal' },
      parallelAxis: axes.map((one, dim) => ({
        id: `axis${dim}`, dim, name: one.key.length > 18 ? `…${one.key.slice(-17)}` : one.key, nameGap: 12, z: 12,
        nameTextStyle: { color: css('--fg'), fontSize: 11, fontWeight: 600 },
        axisLabel: { color: css('--fg-muted'), fontSize: 10.5, textBorderColor: css('--raised'), textBorderWidth: 3, formatter: one.categories.length ? (value: string) => value.slice(0, 22) : (value: number) => shown(value) },
        axisLine: { lineStyle: { color: css('--line-strong') } }, axisTick: { show: false },
        areaSelectStyle: { color: alpha('--accent', 0.2), borderColor: css('--accent'), borderWidth: 1, width: 14, opacity: 0.6 },
        ...(one.categories.length ? { type: 'category', data: one.categories } : { type: logs(one) ? 'log' : 'value', scale: true, inverse: id(one) === answer.goal && answer.way < 0 }),
        ...(id(one) === answer.goal && answer.way < 0 ? { nameLocation: 'start' } : {}),
      })),
      series: [
        { type: 'parallel', data: every, silent: true, lineStyle: { color: many ? css('--c1') : line, width: many ? 0.8 : 1, opacity: many ? 0.3 : 0.5 }, inactiveOpacity: 0.03, activeOpacity: 0.5, progressive: 500 },
        ...answer.runs.slice(0, answer.picked).map((_, at) => ({
          type: 'parallel', data: [row(at)], silent: true, z: 6, lineStyle: { color: css(`--c${(at % 8) + 1}`), width: 2.4, opacity: 1, type: DASHES[at % 4] }, inactiveOpacity: 0.12, activeOpacity: 1,
        })),
      ],
    };
  }

  #scatter(answer: Answer): Record<string, unknown> {
    const [x, y] = ['x', 'y'].map(side => answer.axes.find(one => id(one) === this.querySelector<HTMLSelectElement>(`[data-scatter-${side}]`)?.value));
    if (!x || !y) return {};
    const point = (run: number): unknown[] => [x.values[run], y.values[run], answer.runs[run]?.[1], run];
    const there = (run: number): boolean => x.values[run] !== null && y.values[run] !== null;
    const rest = answer.runs.map((_, at) => at).filter(at => at >= answer.picked && there(at));
    const side = (one: Axis): Record<string, unknown> => axis(one.categories.length
      ? { type: 'category', data: one.categories, splitLine: { show: false } }
      : { type: logs(one) ? 'log' : 'value', scale: true, splitLine: { show: one === y, lineStyle: { color: css('--chart-grid') } }, axisLabel: { formatter: (v: number) => shown(v) } });
    return {
      grid: { left: 8, right: 18, top: 14, bottom: 8, containLabel: true },
      tooltip: tip({ trigger: 'item', formatter: (item: { data: unknown[] }) => `${plain(String(item.data[2]))}<br>${plain(x.key)} ${plain(worded(x, item.data[0] as number))}, ${plain(y.key)} <b>${plain(worded(y, item.data[1] as number))}</b>` }),
      xAxis: side(x), yAxis: side(y),
      series: [
        { type: 'scatter', symbolSize: 5, data: rest.filter(at => this.#keeps(at)).map(point), itemStyle: { color: css('--c1'), opacity: 0.45 } },
        { type: 'scatter', symbolSize: 5, data: rest.filter(at => !this.#keeps(at)).map(point), itemStyle: { color: css('--fg-subtle'), opacity: 0.14 } },
        ...answer.runs.slice(0, answer.picked).map((run, at) => ({
          type: 'scatter', symbol: [...SYMBOLS, 'roundRect'][at % 5], symbolSize: 11, z: 6, data: there(at) ? [point(at)] : [],
          itemStyle: { color: css(`--c${(at % 8) + 1}`), borderColor: css('--raised'), borderWidth: 1.5, opacity: this.#keeps(at) ? 1 : 0.2 },
          label: { show: at < 2, position: at ? 'bottom' : 'left', formatter: plain(run[1]), color: css('--fg-muted'), fontSize: 10.5 },
        })),
      ],
    };
  }

  #curves(): Record<string, unknown> {
    const found = this.#history;
    if (!found) return {};
    const x = ([step, at]: [number, number, number], start: number): number => this.#x === 'step' ? step : this.#x === 'wall' ? start + at : at / 1000;
    const faded = (run: string): boolean => { const at = this.#answer?.runs.findIndex(one => one[0] === run) ?? -1; return at >= 0 && !this.#keeps(at); };
    const lines = found.runs.map((run, at) => ({ run, at, raw: run.points.map(point => [x(point, run.start), point[2]] as [number, number]).sort((a, b) => a[0] - b[0]) })).filter(line => line.raw.length);
    return {
      grid: { left: 8, right: 96, top: 14, bottom: 8, containLabel: true },
      tooltip: tip({ trigger: 'axis', valueFormatter: (value: unknown) => shown(Number(value)) }),
      xAxis: axis({ type: this.#x === 'wall' ? 'time' : 'value', scale: true, splitLine: { show: false }, axisLabel: { hideOverlap: true, ...(this.#x === 'relative' ? { formatter: (v: number) => `${shown(v)} s` } : {}) } }),
      yAxis: axis({ type: this.#log ? 'log' : 'value', scale: true, axisLabel: { formatter: (v: number) => shown(v) } }),
      series: lines.flatMap(({ run, at, raw }) => {
        const colour = css(`--c${(at % 8) + 1}`), opacity = faded(run.run) ? 0.12 : 1;
        const main = { name: run.name, type: 'line', symbol: raw.length === 1 ? 'circle' : 'none', data: smoothed(raw, this.#smooth), lineStyle: { width: 1.8, color: colour, opacity, type: DASHES[at % 4] }, itemStyle: { color: colour },
          labelLayout: { moveOverlap: 'shiftY' }, endLabel: { show: raw.length > 1, formatter: plain(run.name.split('-').slice(0, 2).join('-')).slice(0, 16), color: colour, fontSize: 10.5, distance: 6 } };
        if (!this.#smooth) return [main];
        return [{ name: run.name, type: 'line', symbol: 'none', silent: true, tooltip: { show: false }, data: raw, lineStyle: { width: 1, color: colour, opacity: 0.22 * opacity } }, main];
      }),
    };
  }

  // ── Controls ───────────────────────────────────────────────
  #controls(state: URLSearchParams): void {
    const metric = one<HTMLSelectElement>('[data-metric-choice]', this), smooth = one<HTMLInputElement>('[data-smooth]', this), log = one('[data-log]', this);
    if (metric && state.get('metric')) metric.value = state.get('metric') ?? metric.value;
    metric?.addEventListener('change', () => { this.#remember(); void this.#loadHistory(); });
    if (smooth) { smooth.value = String(this.#smooth); smooth.style.setProperty('--v', `${this.#smooth / 0.95 * 100}%`); }
    smooth?.addEventListener('input', () => { this.#smooth = Number(smooth.value); this.#drawings.history?.(); });
    smooth?.addEventListener('change', () => this.#remember());
    log?.setAttribute('aria-pressed', String(this.#log));
    log?.addEventListener('click', () => { this.#log = !this.#log; log.setAttribute('aria-pressed', String(this.#log)); this.#drawings.history?.(); this.#remember(); });
    const choose = (): void => all('[data-x]', this).forEach(button => button.setAttribute('aria-pressed', String(button.dataset.x === this.#x)));
    all('[data-x]', this).forEach(button => button.addEventListener('click', () => { this.#x = button.dataset.x ?? 'step'; choose(); this.#drawings.history?.(); this.#remember(); }));
    choose();
    one('[data-reset]', this)?.addEventListener('click', () => { this.#kept.clear(); this.#drawings.parallel?.(); this.#tell(); if (this.#answer) this.#axesList(this.#answer); });
  }

  #choices(answer: Answer): void {
    const state = new URLSearchParams(location.search), metrics = answer.axes.filter(one => one.kind === 'metric');
    const drawn = answer.axes.filter(one => one.kind === 'param' && answer.chosen.includes(id(one)));
    const number = drawn.find(one => !one.categories.length) ?? drawn[0] ?? answer.axes.find(one => one.varies) ?? answer.axes[0];
    const usual = { x: number && id(number), y: answer.goal || (metrics[0] && id(metrics[0])) };
    for (const side of ['x', 'y'] as const) {
      const select = one<HTMLSelectElement>(`[data-scatter-${side}]`, this);
      select?.replaceChildren(...answer.axes.map(one => Object.assign(document.createElement('option'), { value: id(one), textContent: one.key })));
      if (select) select.value = state.get(`s${side}`) ?? usual[side] ?? '';
      if (select && select.selectedIndex < 0) select.selectedIndex = 0;
      select?.addEventListener('change', () => { this.#drawings.scatter?.(); this.#remember(); });
    }
  }

  #axesList(answer: Answer): void {
    const pop = one('#axes', this);
    if (!pop) return;
    const order = [...this.#axes, ...answer.axes.map(id).filter(key => !this.#axes.includes(key))];
    const list = document.createElement('ul');
    for (const key of order) {
      const found = answer.axes.find(axis => id(axis) === key);
      if (found) list.append(this.#axisRow(found, key));
    }
    pop.replaceChildren(list);
  }

  #axisRow(found: Axis, key: string): HTMLElement {
    const row = document.createElement('li'), label = document.createElement('label'), up = document.createElement('button');
    const box = Object.assign(document.createElement('input'), { type: 'checkbox', className: 'check', checked: this.#axes.includes(key) });
    label.className = 'opt';
    label.append(box, Object.assign(document.createElement('span'), { className: 'clip', textContent: found.key, title: found.weight ? `${Math.round(found.weight * 100)} % of the goal's spread goes with it` : found.key }));
    up.type = 'button';
    up.className = 'btn sm sq ghost';
    up.setAttribute('aria-label', `Move ${found.key} to the left`);
    up.append(icon('arrow-up', 's'));
    up.disabled = this.#axes.indexOf(key) < 1;
    up.addEventListener('click', () => { const at = this.#axes.indexOf(key); this.#axes.splice(at - 1, 0, ...this.#axes.splice(at, 1)); this.#redraw(); });
    box.addEventListener('change', () => {
      if (box.checked) this.#axes.push(key); else { this.#axes = this.#axes.filter(other => other !== key); this.#kept.delete(key); }
      this.#redraw();
    });
    row.append(up, label);
    // Ranges by keyboard: the same selection as dragging on the axis.
    for (const end of [0, 1] as const) {
      const field = Object.assign(document.createElement('input'), { className: 'input sm', type: 'number', step: 'any', placeholder: end ? 'to' : 'from', hidden: found.categories.length > 0 });
      field.setAttribute('aria-label', `Keep ${found.key} ${end ? 'up to' : 'from'}`);
      const now = this.#kept.get(key)?.[0]?.[end];
      if (now !== undefined && Number.isFinite(now)) field.value = String(+now.toPrecision(5));
      field.addEventListener('change', () => {
        const range: Range = [...(this.#kept.get(key)?.[0] ?? [-Infinity, Infinity])];
        range[end] = field.value === '' ? (end ? Infinity : -Infinity) : Number(field.value);
        const numbers = found.values.filter((value): value is number => value !== null);
        const whole: Range = [Math.max(range[0], Math.min(...numbers)), Math.min(range[1], Math.max(...numbers))];
        if (Number.isFinite(range[0]) || Number.isFinite(range[1])) this.#kept.set(key, [whole]); else this.#kept.delete(key);
        this.#drawings.parallel?.();
        this.#restore();
        this.#tell();
      });
      row.append(field);
    }
    return row;
  }

  #redraw(): void {
    this.#drawings.parallel?.();
    this.#restore();
    this.#tell();
    if (this.#answer) this.#axesList(this.#answer);
  }

  #remember(): void {
    const state = new URLSearchParams(location.search), usual = this.#answer?.chosen.join('\n');
    for (const name of ['axis', 'keep', 'x', 'log', 'smooth', 'metric', 'sx', 'sy']) state.delete(name);
    if (this.#axes.join('\n') !== usual) this.#axes.forEach(key => state.append('axis', key));
    this.#kept.forEach((ranges, key) => ranges.forEach(([low, high]) => state.append('keep', `${key}~${+low.toPrecision(6)}~${+high.toPrecision(6)}`)));
    if (this.#x !== 'step') state.set('x', this.#x);
    if (this.#log) state.set('log', 'on');
    if (this.#smooth) state.set('smooth', String(this.#smooth));
    const metric = one<HTMLSelectElement>('[data-metric-choice]', this)?.value, [sx, sy] = ['x', 'y'].map(side => this.querySelector<HTMLSelectElement>(`[data-scatter-${side}]`)?.value);
    if (metric && metric !== this.dataset.metric) state.set('metric', metric);
    if (sx) state.set('sx', sx);
    if (sy && sy !== this.#answer?.goal) state.set('sy', sy);
    history.replaceState(history.state, '', `${location.pathname}?${state}`);
  }
}

interface Brushed { parallelAxisId?: string; intervals?: number[][] }
const id = (one: Axis): string => `${one.kind === 'metric' ? 'metrics' : 'params'}.${one.key}`;
const worded = (one: Axis, value: number | null | undefined): string => value === null || value === undefined ? '' : one.categories.length ? one.categories[value] ?? '' : shown(value);
const logs = (one: Axis): boolean => {
  const numbers = one.values.filter((value): value is number => value !== null), low = Math.min(...numbers);
  return !one.categories.length && low > 0 && Math.max(...numbers) / low > LOG_ABOVE;
};
customElements.define('bh-compare', Compare);
