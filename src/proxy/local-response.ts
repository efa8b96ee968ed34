/** Turns an answer of Portico's own into a response head and body. */
import { FieldId, FieldList } from './fields.ts';
import type { ResponseHead } from './front.ts';
import type { LocalAnswer } from './route.ts';

/** A response that is complete from the start. */
export interface LocalResponse {
  readonly head: ResponseHead;
  /** Null where no body is sent: HEAD, 204, 304. */
  readonly body: Buffer | null;
}

/**
 * @param method - HEAD gets the size of the body it does not get (RFC 9110 §9.3.2)
 * @param date - IMF-fixdate
 */
export function localResponse(answer: LocalAnswer, method: string, date: string): LocalResponse {
  const fields = new FieldList();
  for (let index = 0; index + 1 < answer.fields.length; index += 2) {
    fields.add(FieldId.other, answer.fields[index] ?? '', answer.fields[index + 1] ?? '');
  }
  fields.add(FieldId.other, 'Date', date);
  const body = Buffer.from(answer.body);
  const sizeless = answer.status === 204 || answer.status === 304;
  const bodiless = method === 'HEAD' || sizeless || body.length === 0;
  return {
    head: {
      status: answer.status,
      reason: '',
      fields,
      bodyLength: bodiless ? 0 : body.length,
      contentLength: sizeless ? null : String(body.length),
      connectionNames: null,
    },
    body: bodiless ? null : body,
  };
}
