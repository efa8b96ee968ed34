/** Classes of requests that need different patience; the endpoint table maps method and path to one of them. */
export const REQUEST_CLASSES = [
  'sync',
  'join',
  'transaction',
  'media_up',
  'media_down',
  'client',
  'federation',
  'discovery',
  'site',
] as const;

/** One of {@link REQUEST_CLASSES}. */
export type RequestClass = (typeof REQUEST_CLASSES)[number];
