/** A client's connection as the data plane keeps it, whatever protocol is spoken on it. */
export interface ClientConnection {
  /** Looks at the clock; called a few times a second. @param now - monotonic ms */
  check(now: number): void;
  /** Finishes what is under way and takes no more requests. */
  drain(): void;
  /** Ends the connection now. */
  destroy(): void;
}
