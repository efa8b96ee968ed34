// A process whose standard output has lost its reader: it writes lines in each way, says how many were dropped, and exits 7.
import { once } from 'node:events';
import { openLogSink } from '../../../src/observability/log-sink.ts';

let dropped = 0;
const sink = openLogSink({ onDropped: (lines) => (dropped += lines) });
process.stderr.write('ready\n');
await once(process.stdin, 'data');
sink.write('one\ntwo\n');
await new Promise<void>((resolve) => sink.flush(resolve));
sink.write('in flight\n');
sink.write('three\n');
sink.flushSync();
process.stderr.write(`dropped ${String(dropped)}\n`, () => process.exit(7));
