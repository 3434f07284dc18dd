// What the server tells of runs to compare, and the little arithmetic on it.
export interface Axis { key: string; kind: 'param' | 'metric'; values: (number | null)[]; categories: string[]; varies: boolean; weight: number }
export interface Answer { runs: [string, string, string][]; picked: number; more: boolean; axes: Axis[]; chosen: string[]; goal: string; way: number }
export interface History { metric: string; runs: { run: string; name: string; start: number; points: [number, number, number][] }[] }
export type Range = [number, number];

export const shown = (value: number): string => Math.abs(value) >= 10000 ? Math.round(value).toLocaleString('en-US') : String(+value.toPrecision(4));

/** An exponential mean that begins at the first value: 0 leaves the line as it is, towards 1 it follows ever more slowly. */
export const smoothed = (points: [number, number][], weight: number): [number, number][] => {
  if (!weight) return points;
  let last = 0, known = 0;
  return points.map(([x, value]) => {
    last = last * weight + (1 - weight) * value;
    known = known * weight + (1 - weight);
    return [x, last / known];
  });
};
