import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { tlsAlert } from '../../../src/tls/alert.ts';
import type { TlsAlertDescription } from '../../../src/tls/alert.ts';

describe('tlsAlert', () => {
  it('is one record with a fatal alert', () => {
    expect(tlsAlert('unrecognized_name').toString('hex')).toBe('15030300020270');
  });

  it.for<[TlsAlertDescription, string]>([
    ['unrecognized_name', 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME'],
    ['handshake_failure', 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE'],
    ['decode_error', 'ERR_SSL_TLSV1_ALERT_DECODE_ERROR'],
    ['protocol_version', 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION'],
    ['internal_error', 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR'],
  ])('%s is understood by a real client', async ([description, code]) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(tlsAlert(description)));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect({
      port: (server.address() as AddressInfo).port,
      host: '127.0.0.1',
      servername: 'a.example',
    });
    const [error] = (await once(client, 'error')) as [Error];
    expect(error).toMatchObject({ code });
    server.close();
  });
});
