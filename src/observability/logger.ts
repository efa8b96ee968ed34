/**
 * The log: one JSON object a line, by pino. Secrets are removed twice: by field name, and, for text that quotes a URL or a
 * key, from the finished line.
 */
import { pino, stdSerializers } from 'pino';
import type { DestinationStream, Logger as PinoLogger } from 'pino';
import { messageOf, PorticoError } from '../base/errors.ts';
import { REDACTED, redactText } from './redact.ts';

/** The logger that every part is handed; `logger.info({ code, … }, 'message')`. */
export type Logger = PinoLogger;

/** From quiet to talkative. */
export type LogLevel = 'silent' | 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';

/** Options of {@link createLogger}. */
export interface LoggerOptions {
  readonly level: LogLevel;
  /** Takes one finished line a call; default: standard output, synchronously. Servers hand in a `LogSink`. */
  readonly destination?: DestinationStream;
}

/** Field names whose value never reaches the log, wherever they stand within three levels. */
const SECRET_FIELDS = [
  'authorization',
  'Authorization',
  'proxyAuthorization',
  'cookie',
  'Cookie',
  'setCookie',
  'access_token',
  'accessToken',
  'refresh_token',
  'token',
  'password',
  'secret',
  'client_secret',
  'key',
  'privateKey',
  'keyPem',
  'ticketKey',
  'hmac_key',
  'hmacKey',
] as const;

/** Names that hold a hyphen need brackets in pino's paths. */
const SECRET_HEADERS = ['proxy-authorization', 'set-cookie'] as const;

const DEPTHS = ['', '*.', '*.*.'] as const;

const REDACTED_PATHS = DEPTHS.flatMap((prefix) => [
  ...SECRET_FIELDS.map((name) => prefix + name),
  ...SECRET_HEADERS.map((name) => `${prefix.slice(0, -1)}["${name}"]`),
]);

/** Creates the logger. Errors go under `err`, with `code`, `fix` and the chain of causes. */
export function createLogger(options: LoggerOptions): Logger {
  return pino(
    {
      level: options.level,
      // Process id and host name are the service manager's business; they would only make every line longer.
      base: null,
      redact: { paths: REDACTED_PATHS, censor: REDACTED },
      serializers: { err: serializeError },
      hooks: { streamWrite: redactText },
    },
    options.destination ?? pino.destination({ fd: 1, sync: true }),
  );
}

/**
 * Resolves when every line has been handed to the operating system. Rejects when that cannot be done.
 * @internal
 */
export async function flushLogger(logger: Logger): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    logger.flush((error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return messageOf(error);
  const serialized: Record<string, unknown> = { ...stdSerializers.err(error) };
  if (error instanceof PorticoError && error.fix === undefined) delete serialized.fix;
  return serialized;
}
