// ECharts with a theme read from the tokens, so a chart follows light, dark and high contrast like the rest of the page.
// Imported by lazy islands only. `draw` paints now, on theme change, and whenever the place gets another size.
import { BarChart, LineChart, ParallelChart, ScatterChart } from 'echarts/charts';
import { BrushComponent, DataZoomComponent, GridComponent, MarkAreaComponent, MarkLineComponent, MarkPointComponent, ParallelComponent, TooltipComponent, VisualMapComponent } from 'echarts/components';
import * as echarts from 'echarts/core';
import type { EChartsCoreOption } from 'echarts/core';
import { CanvasRenderer, SVGRenderer } from 'echarts/renderers';

echarts.use([
  BarChart, LineChart, ParallelChart, ScatterChart, BrushComponent, DataZoomComponent, GridComponent, MarkAreaComponent, MarkLineComponent, MarkPointComponent,
  ParallelComponent, TooltipComponent, VisualMapComponent, CanvasRenderer, SVGRenderer,
]);

export type Chart = echarts.ECharts;
export type Option = EChartsCoreOption;

const CANVAS_ABOVE_POINTS = 5000;
export const DASHES: (string | number[])[] = ['solid', [6, 3], [2, 2], [8, 3, 2, 3]];
export const SYMBOLS = ['circle', 'rect', 'triangle', 'diamond'];

let probe: HTMLElement | null = null;

/** The colour of a token as the browser resolves it here and now: `css('--c1')`. */
export const css = (token: string): string => {
  if (!probe) {
    probe = document.createElement('i');
    probe.hidden = true;
    document.body.append(probe);
  }
  probe.style.color = `var(${token})`;
  const colour = getComputedStyle(probe).color;
  const parts = /color\(srgb ([^)]+)\)/.exec(colour)?.[1]?.split(/[ /]+/).map(Number);
  if (!parts) return colour;
  const [red = 0, green = 0, blue = 0, opacity = 1] = parts;
  return `rgba(${red * 255},${green * 255},${blue * 255},${opacity})`;
};

/** The same, more transparent. */
export const alpha = (token: string, opacity: number): string => {
  const [red = 0, green = 0, blue = 0] = (css(token).match(/[\d.]+/g) ?? []).map(Number);
  return `rgba(${red},${green},${blue},${opacity})`;
};

export const palette = (): string[] => [1, 2, 3, 4, 5, 6, 7, 8].map(number => css(`--c${number}`));

const family = (): string => getComputedStyle(document.body).fontFamily;

export const axis = (more: Record<string, unknown> = {}): Record<string, unknown> => {
  const { axisLabel, ...rest } = more;
  return {
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { show: true, lineStyle: { color: css('--chart-grid') } },
    axisLabel: { color: css('--chart-axis'), fontSize: 11, hideOverlap: true, ...(axisLabel as object) },
    nameTextStyle: { color: css('--chart-axis'), fontSize: 11, align: 'left', padding: 0 },
    ...rest,
  };
};

export const tip = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  backgroundColor: css('--overlay'),
  borderColor: css('--line'),
  borderWidth: 1,
  padding: [6, 10],
  textStyle: { color: css('--fg'), fontSize: 12, fontFamily: family() },
  extraCssText: 'box-shadow:var(--shadow-pop);border-radius:6px',
  confine: true,
  ...more,
});

/** A dashed line across the chart with its words: a limit at `yAxis`, a release or retrain at `xAxis`. */
export const mark = (at: { yAxis?: number; xAxis?: number | string }, label: string, tone = '--bad-fg'): Record<string, unknown> => ({
  ...at,
  lineStyle: { color: css(tone), type: [4, 3], width: 1.2 },
  label: { formatter: label, position: at.yAxis === undefined ? 'end' : 'insideStartTop', color: css(tone), fontSize: 11 },
});

const base = (): Option => ({
  animation: false,
  color: palette(),
  textStyle: { fontFamily: family(), color: css('--fg') },
  grid: { left: 6, right: 10, top: 10, bottom: 4, containLabel: true },
  tooltip: tip({ trigger: 'axis', axisPointer: { type: 'line', lineStyle: { color: css('--line-control') } } }),
});

/** Draws into `place`; call what comes back to draw again, `.end()` to take it away. `points` chooses SVG or canvas. */
export const draw = (place: HTMLElement, make: () => Option, points = 0): { (): void; chart: () => Chart | null; end: () => void } => {
  let chart: Chart | null = null;
  const paint = (): void => {
    if (!place.clientWidth) return;
    chart ??= echarts.init(place, null, { renderer: points > CANVAS_ABOVE_POINTS ? 'canvas' : 'svg' });
    chart.resize();
    chart.setOption({ ...base(), ...make() }, true);
  };
  const sized = new ResizeObserver(() => (chart ? chart.resize() : paint()));
  sized.observe(place);
  addEventListener('themechange', paint);
  paint();
  return Object.assign(paint, {
    chart: () => chart,
    end: () => { sized.disconnect(); removeEventListener('themechange', paint); chart?.dispose(); chart = null; },
  });
};
