/**
 * Sent with every answer: nothing here is a page, may be framed, guessed to be another type, or kept by a cache. There
 * is no CORS header, so no page of another origin can read an answer.
 */
export const SECURITY_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const
