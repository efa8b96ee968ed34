/** Plots as SVG: lines over an axis of powers of ten, with a legend. Readable on light and dark pages. */
import { linearScale, logScale } from './scale.ts';

/** One line of a plot. */
export interface Series {
  readonly id: string;
  readonly title: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

/** A plot. */
export interface Plot {
  readonly title: string;
  readonly axis: string;
  readonly unit: string;
  readonly series: readonly Series[];
  /** Powers of ten upwards too: for costs that differ by more than a line can show. */
  readonly logarithmic: boolean;
}

const WIDTH = 760;
const HEIGHT = 400;
const BOX = { left: 70, right: 560, top: 44, bottom: 340 } as const;
/** Told apart by people who see no difference between red and green (Okabe and Ito). */
const COLOURS: Readonly<Record<string, string>> = {
  portico: '#d55e00',
  'nginx-matrix': '#0072b2',
  nginx: '#56b4e9',
  haproxy: '#009e73',
  caddy: '#cc79a7',
  undici: '#e69f00',
  'http-proxy': '#999999',
};

/** Escapes text for XML. */
export function escapeXml(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (char) => names[char] ?? char);
}

/** `10k`, `1M`. */
export function shortNumber(value: number): string {
  if (value >= 1e6) return `${String(value / 1e6)}M`;
  return value >= 1e4 ? `${String(value / 1e3)}k` : String(value);
}

function text(x: number, y: number, content: string, more = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}"${more}>${escapeXml(content)}</text>`;
}

/** The whole picture. */
export function svgPlot(plot: Plot): string {
  const xs = plot.series.flatMap(({ points }) => points.map(({ x }) => x));
  const ys = plot.series.flatMap(({ points }) => points.map(({ y }) => y));
  if (xs.length === 0) throw new Error(`nothing to draw: ${plot.title}`);
  const across = logScale(xs, BOX.left, BOX.right);
  const up = plot.logarithmic ? logScale(ys, BOX.bottom, BOX.top) : linearScale(Math.max(...ys), BOX.bottom, BOX.top);
  const grid = [
    ...up.marks.map((mark) => {
      const y = up.at(mark).toFixed(1);
      const line = `<path d="M${String(BOX.left)} ${y}H${String(BOX.right)}" stroke="#ddd"/>`;
      return line + text(BOX.left - 8, up.at(mark) + 4, shortNumber(mark), ' text-anchor="end"');
    }),
    ...across.marks.map((mark) => text(across.at(mark), BOX.bottom + 18, shortNumber(mark), ' text-anchor="middle"')),
  ];
  const lines = plot.series.map(({ id, points }) => {
    const colour = COLOURS[id] ?? '#000';
    const at = points.map(({ x, y }) => `${across.at(x).toFixed(1)} ${up.at(y).toFixed(1)}`);
    const dots = at.map((point) => {
      const [x = '', y = ''] = point.split(' ');
      return `<circle cx="${x}" cy="${y}" r="3" fill="${colour}"/>`;
    });
    const width = id === 'portico' ? 3 : 1.6;
    return `<path d="M${at.join('L')}" fill="none" stroke="${colour}" stroke-width="${String(width)}"/>${dots.join('')}`;
  });
  const legend = plot.series.map(({ id, title }, index) => {
    const y = BOX.top + 14 + index * 22;
    const colour = COLOURS[id] ?? '#000';
    return `<path d="M${String(BOX.right + 20)} ${String(y - 4)}h24" stroke="${colour}" stroke-width="3"/>${text(BOX.right + 52, y, title)}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${String(WIDTH)} ${String(HEIGHT)}" font-family="sans-serif" font-size="12" fill="#222">
<title>${escapeXml(plot.title)}</title>
<rect width="${String(WIDTH)}" height="${String(HEIGHT)}" fill="#fff"/>
${text(BOX.left, 24, `${plot.title}, ${plot.unit}`, ' font-size="15" font-weight="bold"')}
${grid.join('\n')}
<path d="M${String(BOX.left)} ${String(BOX.top)}V${String(BOX.bottom)}H${String(BOX.right)}" fill="none" stroke="#666"/>
${lines.join('\n')}
${legend.join('\n')}
${text((BOX.left + BOX.right) / 2, BOX.bottom + 42, plot.axis, ' text-anchor="middle"')}
</svg>
`;
}
