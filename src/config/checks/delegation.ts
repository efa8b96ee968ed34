/** Delegation must fit the server name and the delegated name. Source: server-server API, "Resolving server names". */
import { errorAt, type Finding } from '../problem.ts';
import type { SiteCheck } from './check.ts';

/** `delegated_name` stands with `delegation: well-known`, and only there. */
export const delegatedNameFits: SiteCheck = (site, path) => {
  const { delegation, delegated_name: name, server_name: serverName } = site;
  if (delegation === 'well-known' && name === undefined) {
    return [
      errorAt(
        [...path, 'delegation'],
        'CONFIG_DELEGATED_NAME_MISSING',
        `delegation is well-known, but nothing says where peers of ${serverName.text} are sent`,
        `add delegated_name, such as matrix.${serverName.isIp ? 'example.com' : serverName.hostname}:443`,
      ),
    ];
  }
  if (delegation === 'srv' && name !== undefined) {
    return [
      errorAt(
        [...path, 'delegated_name'],
        'CONFIG_SRV_WITH_DOCUMENT',
        'delegation is srv, but a delegated name means a /.well-known/matrix/server document, which takes precedence over SRV records',
        `remove delegated_name (put the name under hosts if ${name.hostname} is to be answered here), or set delegation: well-known`,
      ),
    ];
  }
  if (delegation === 'none' && name !== undefined) {
    return [
      errorAt(
        [...path, 'delegated_name'],
        'CONFIG_DELEGATED_NAME_UNUSED',
        `delegation is none, so that peers would never learn of ${name.text}`,
        'add delegation: well-known, or remove delegated_name',
      ),
    ];
  }
  return [];
};

/** Peers skip documents and SRV records for server names with a port (step 2) and for IP literals (step 1). */
export const delegationIsPossible: SiteCheck = (site, path): Finding[] => {
  const { delegation, server_name: name } = site;
  if (delegation === 'none' || (!name.isIp && name.port === undefined)) return [];
  return [
    errorAt(
      [...path, 'delegation'],
      'CONFIG_DELEGATION_IGNORED',
      `${name.text} ${name.isIp ? 'is an IP address' : 'has a port'}: peers connect to it straight away and never look for ${delegation === 'srv' ? 'SRV records' : 'a document'}`,
      'remove delegation, or use the plain DNS name as the server name (only for a new server: a server name cannot be changed later)',
    ),
  ];
};
