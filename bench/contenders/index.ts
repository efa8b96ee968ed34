/** All contenders, in the order of the tables. */
import { caddy } from './caddy.ts';
import type { Contender } from './contender.ts';
import { haproxy } from './haproxy.ts';
import { nginxBare, nginxMatrix } from './nginx.ts';
import { httpProxy, undici } from './node-relays.ts';
import { portico } from './portico.ts';

/** Portico first, then what it is compared with, then the others. */
export const CONTENDERS: readonly Contender[] = [portico, nginxMatrix, nginxBare, haproxy, caddy, undici, httpProxy];

/** Those of the short form. */
export const QUICK_CONTENDERS: readonly string[] = ['portico', 'nginx-matrix', 'nginx'];
