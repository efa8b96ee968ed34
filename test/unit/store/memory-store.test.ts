import { MemoryStore } from '../../../src/store/memory-store.ts';
import { runStoreTests } from './store-conformance.ts';

runStoreTests('MemoryStore', () => {
  const first = new MemoryStore();
  let handles = 0;
  return Promise.resolve({
    open: () => (handles++ === 0 ? first : new MemoryStore(first)),
    remove: () => Promise.resolve(),
  });
});
