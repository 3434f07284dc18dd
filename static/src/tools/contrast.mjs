// Reads css/tokens.css and fails when a colour pair or the chart palette breaks its rule.
import { readFileSync } from 'node:fs';
const css = readFileSync(new URL('../css/tokens.css', import.meta.url), 'utf8');
const T = { light: {}, dark: {} };
for (const [, k, l, d] of css.matchAll(/--([\w-]+):\s*light-dark\((#\w{6})(?:\w\w)?,\s*(#\w{6})(?:\w\w)?\)/g)) if (!(k in T.light)) { T.light[k] = l; T.dark[k] = d; }
for (const [, k, c] of css.matchAll(/--([\w-]+):\s*(#\w{6});/g)) { T.light[k] ??= c; T.dark[k] ??= c; }
const lin = h => [1, 3, 5].map(i => { const v = parseInt(h.slice(i, i + 2), 16) / 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
const lum = h => { const [r, g, b] = lin(h); return .2126 * r + .7152 * g + .0722 * b; };
const contrast = (a, b) => { const x = lum(a), y = lum(b); return (Math.max(x, y) + .05) / (Math.min(x, y) + .05); };
const mix = (a, b, p) => '#' + [1, 3, 5].map(i => Math.round(parseInt(a.slice(i, i + 2), 16) * p + parseInt(b.slice(i, i + 2), 16) * (1 - p)).toString(16).padStart(2, '0')).join('');
let bad = 0, n = 0;
const need = (mode, f, b, min, note = '') => {
  const F = T[mode][f] ?? f, B = T[mode][b] ?? b, c = contrast(F, B); n++;
  if (c < min) { bad++; console.log(`FAIL ${mode} ${f} on ${b} ${c.toFixed(2)} < ${min} ${note}`); }
};
for (const mode of ['light', 'dark']) {
  for (const bg of ['canvas', 'sheet', 'sunken', 'raised', 'overlay', 'hover', 'selected']) {
    for (const fg of ['fg', 'fg-muted', 'fg-subtle', 'accent']) need(mode, fg, bg, 4.5);
    need(mode, 'line-control', bg, bg === 'selected' || bg === 'hover' ? 2.7 : 2.8); need(mode, 'focus', bg, 3);
  }
  need(mode, 'line-control', 'sheet', 3);
  for (const m of ['ok', 'warn', 'bad', 'wait', 'idle']) {
    for (const bg of ['sheet', 'canvas', 'sunken', 'overlay', `${m}-bg`]) need(mode, `${m}-fg`, bg, 4.5);
    need(mode, `${m}-solid`, 'sheet', 3); if (m !== 'warn') need(mode, 'fg-on-solid', `${m}-solid`, m === 'idle' || m === 'ok' ? 4 : 4.5);
  }
  need(mode, 'fg-on-solid', 'accent-solid', 4.5); need(mode, 'accent', 'accent-soft', 4.5); need(mode, 'fg', 'accent-soft', 7);
  for (const k of Object.keys(T.light).filter(k => k.startsWith('kind-'))) need(mode, k, mix(T[mode][k], T[mode].sheet, .13), 4.5, 'tile');
  for (const k of Object.keys(T.light).filter(k => k.startsWith('code-') && k !== 'code-bg')) for (const bg of ['code-bg', 'sheet', 'add-bg', 'del-bg', ...(k === 'code-number' || k === 'code-string' ? ['add-mark', 'del-mark'] : [])]) need(mode, k, bg, 4.5);
  for (const bg of ['add-bg', 'del-bg', 'add-mark', 'del-mark']) need(mode, 'fg', bg, 4.5);
  for (let i = 1; i <= 8; i++) need(mode, `c${i}`, 'sheet', 3, 'chart mark');
}
// Colour-vision check: Machado 2009 at full severity, CIEDE2000 between every pair.
const M = { normal: [[1,0,0],[0,1,0],[0,0,1]], protan: [[.152286,1.052583,-.204868],[.114503,.786281,.099216],[-.003882,-.048116,1.051998]], deutan: [[.367322,.860646,-.227968],[.280085,.672501,.047413],[-.01182,.04294,.968881]], tritan: [[1.255528,-.076749,-.178779],[-.078411,.930809,.147602],[.004733,.691367,.3039]] };
const lab = ([r, g, b]) => { const f = t => t > .008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116; const x = f((.4124564*r+.3575761*g+.1804375*b)/.95047), y = f(.2126729*r+.7151522*g+.072175*b), z = f((.0193339*r+.119192*g+.9503041*b)/1.08883); return [116*y-16, 500*(x-y), 200*(y-z)]; };
const de = ([L1,a1,b1], [L2,a2,b2]) => { const R = Math.PI/180, c = (Math.hypot(a1,b1)+Math.hypot(a2,b2))/2, G = .5*(1-Math.sqrt(c**7/(c**7+25**7))), A1=(1+G)*a1, A2=(1+G)*a2, C1=Math.hypot(A1,b1), C2=Math.hypot(A2,b2), H=(b,a)=>(Math.atan2(b,a)/R+360)%360, h1=H(b1,A1), h2=H(b2,A2); let dh=h2-h1; if(dh>180)dh-=360; if(dh<-180)dh+=360; const dH=2*Math.sqrt(C1*C2)*Math.sin(dh/2*R), Lm=(L1+L2)/2, Cm=(C1+C2)/2; let hm=(h1+h2)/2; if(Math.abs(h1-h2)>180)hm=(hm+180)%360; const t=1-.17*Math.cos((hm-30)*R)+.24*Math.cos(2*hm*R)+.32*Math.cos((3*hm+6)*R)-.2*Math.cos((4*hm-63)*R), Sl=1+.015*(Lm-50)**2/Math.sqrt(20+(Lm-50)**2), Sc=1+.045*Cm, Sh=1+.015*Cm*t, Rt=-Math.sin(60*Math.exp(-(((hm-275)/25)**2))*R)*2*Math.sqrt(Cm**7/(Cm**7+25**7)), x=(C2-C1)/Sc, y=dH/Sh; return Math.sqrt(((L2-L1)/Sl)**2+x*x+y*y+Rt*x*y); };
for (const mode of ['light', 'dark']) for (const v in M) {
  const P = [1,2,3,4,5,6,7,8].map(i => lab(M[v].map(r => { const c = lin(T[mode][`c${i}`]); return Math.min(1, Math.max(0, r[0]*c[0]+r[1]*c[1]+r[2]*c[2])); })));
  let all = [99], four = [99];
  for (let i = 0; i < 8; i++) for (let j = i + 1; j < 8; j++) { const d = de(P[i], P[j]); if (d < all[0]) all = [d, `c${i+1}/c${j+1}`]; if (j < 4 && d < four[0]) four = [d, `c${i+1}/c${j+1}`]; }
  const ok = all[0] >= 9 && four[0] >= 13; if (!ok) bad++;
  console.log(`${ok ? 'ok  ' : 'FAIL'} palette ${mode.padEnd(5)} ${v.padEnd(6)} closest of 8: ${all[0].toFixed(1)} (${all[1]})  closest of first 4: ${four[0].toFixed(1)} (${four[1]})`);
}
console.log(bad ? `${bad} problem(s)` : `all ${n} contrast pairs hold`);
process.exit(bad ? 1 : 0);
