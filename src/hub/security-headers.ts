import { API_HEADER } from '../core/api.ts'

/**
 * Sent with every answer: nothing here is a page, may be framed, guessed to be another type, or kept by a cache. There
 * is no CORS header, so no page of another origin can read an answer. And it is the hub that answered, nothing else.
 */
export const SECURITY_HEADERS = {
  [API_HEADER]: 'v1',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const
