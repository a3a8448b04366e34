import type { Parameter } from '../../lib/s3/target.ts'

/** What its clients say in a list, beside what a signature adds. */
const PARAMETERS: ReadonlySet<string> = new Set([
  'list-type',
  'delimiter',
  'prefix',
  'continuation-token',
  'apikey',
  'rate',
])

/**
 * Whether a request for a list is one of Open-Meteo's clients, of any age: `list-type=2`, `delimiter=/` and a prefix in any order and nothing that
 * its own server does not know. Those of Amazon say so in a header, and want what S3 has beyond.
 */
export function isOpenMeteoList(
  query: readonly Parameter[],
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): boolean {
  if (headers['amz-sdk-invocation-id'] !== undefined || headers['x-amz-user-agent'] !== undefined) return false
  let needed = 0
  for (const [name, value] of query) {
    if (!PARAMETERS.has(name) && !name.startsWith('X-Amz-')) return false
    if (name === 'list-type' && value === '2') needed++
    if (name === 'delimiter' && value === '/') needed++
    if (name === 'prefix') needed++
  }
  return needed === 3
}

/** As Open-Meteo's server, which is made with Vapor, tells its clients what is wrong. */
export function openMeteoError(reason: string): string {
  return JSON.stringify({ error: true, reason })
}
