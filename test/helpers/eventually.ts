/**
 * Waiting without guessing: poll a condition until it holds, with a bound generous enough for a busy machine.
 * No test asserts how long something took; it only says that it happens.
 */

/** Lets `ms` milliseconds pass. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Runs `probe` until it returns without throwing, and hands back its result.
 * @throws the probe's last error after `timeoutMs`
 */
export async function eventually<T>(probe: () => T | Promise<T>, timeoutMs = 10_000): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await probe();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await delay(10);
  }
}

/**
 * Settles with the promise, or rejects with `what` in the message when that takes longer than `timeoutMs`.
 */
export async function within<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`${what} did not happen within ${String(timeoutMs)} ms`));
    }, timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
