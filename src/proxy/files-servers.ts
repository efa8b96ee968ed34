/** The static file servers behind `fallback: {files: DIR}`, one per directory; see files-server.ts. */
import { startFilesServer, type FilesServer } from './files-server.ts';
import type { Snapshot, UpstreamData } from './snapshot.ts';

/** Keeps the files servers of the snapshot in use. */
export class FilesServers {
  readonly #servers = new Map<string, FilesServer>();

  /**
   * Starts what a snapshot needs. Servers of earlier snapshots stay: connections that started with those still use them.
   * @returns the upstream of each directory
   */
  async use(snapshot: Snapshot): Promise<Map<string, UpstreamData>> {
    const upstreams = new Map<string, UpstreamData>();
    for (const { fallback } of snapshot.sites) {
      if (fallback.kind !== 'files' || upstreams.has(fallback.directory)) continue;
      const server =
        this.#servers.get(fallback.directory) ?? (await startFilesServer({ directory: fallback.directory }));
      this.#servers.set(fallback.directory, server);
      upstreams.set(fallback.directory, server.upstream);
    }
    return upstreams;
  }

  async close(): Promise<void> {
    for (const server of this.#servers.values()) await server.close();
    this.#servers.clear();
  }
}
