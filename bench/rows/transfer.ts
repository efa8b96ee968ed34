/** Large bodies: media of 100 MB, down and up, one after the other over one connection. */
import { runLoader } from '../load/loader.ts';
import { cpuFigure, withCpu } from './cpu.ts';
import type { Row } from './row.ts';

const BYTES = 100_000_000;
const DOWN = `/_matrix/client/v1/media/download/localhost/large?bytes=${String(BYTES)}`;
/** Uploads of any size. */
export const UP = '/_matrix/media/v3/upload';

function transfer(way: 'down' | 'up', protocol: 'h1' | 'h2'): Row {
  const flags = [...(way === 'up' ? ['-up'] : []), ...(protocol === 'h2' ? ['-h2'] : [])];
  return {
    id: `${way}-${protocol}`,
    title: `100 MB ${way}, ${protocol === 'h1' ? 'HTTP/1.1' : 'HTTP/2'}`,
    needs: protocol,
    backend: 'thorough',
    quick: false,
    fresh: false,
    figures: [{ ...cpuFigure({ atMostNginx: 1.2 }), title: 'CPU ms', unit: 'ms', digits: 0 }],
    run: async (turn) => {
      const count = Math.max(2, Math.ceil(turn.seconds));
      const sample = await withCpu(turn, () =>
        runLoader(turn.stand, 'transfer', turn.instance.port, {
          path: way === 'down' ? DOWN : UP,
          flags: [...flags, '-bytes', String(BYTES), '-count', String(count)],
          limitMs: count * 30_000,
        }),
      );
      const { cpu } = sample.figures;
      return { ...sample, figures: cpu === undefined ? {} : { cpu: cpu / 1000 } };
    },
  };
}

/** Four. */
export const TRANSFER_ROWS: readonly Row[] = [
  transfer('down', 'h1'),
  transfer('down', 'h2'),
  transfer('up', 'h1'),
  transfer('up', 'h2'),
];
