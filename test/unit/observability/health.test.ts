import { expect, it } from 'vitest';
import { createHealth } from '../../../src/observability/health.ts';

it('is alive and not ready at first', () => {
  const health = createHealth();
  expect(health.live()).toBe(true);
  expect(health.ready()).toEqual({ ok: false, reasons: ['process: starting'] });
});

it('is ready when every part that spoke is', () => {
  const health = createHealth();
  health.setReady('listeners', true);
  health.setReady('certificates', false, 'none for example.com');
  expect(health.ready()).toEqual({ ok: false, reasons: ['certificates: none for example.com'] });
  health.setReady('certificates', true);
  expect(health.ready()).toEqual({ ok: true, reasons: [] });
  health.setReady('listeners', false, 'draining');
  expect(health.ready()).toEqual({ ok: false, reasons: ['listeners: draining'] });
});

it('stays broken once it is', () => {
  const health = createHealth();
  health.setBroken();
  expect(health.live()).toBe(false);
});
