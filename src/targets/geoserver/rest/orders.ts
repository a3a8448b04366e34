import type { Op } from '../../../core/op.ts'
import { type Answer, type Call, type GeoServerClient, refusal } from './client.ts'

/** Reads the whole catalog anew. facts: until it ends, WMS fails and every call of the configuration waits. */
export async function reloadCatalog(client: GeoServerClient, timeoutMs: number, op: Op): Promise<void> {
  await order(client, { method: 'POST', path: '/rest/reload', timeoutMs }, op)
}

/** Gives up what is held of stores, schemas, graphics and projections. Nothing is out of service meanwhile. */
export async function resetCaches(client: GeoServerClient, op: Op): Promise<void> {
  await order(client, { method: 'POST', path: '/rest/reset' }, op)
}

export async function reloadTileConfig(client: GeoServerClient, op: Op): Promise<void> {
  const body = { type: 'application/x-www-form-urlencoded', content: 'reload_configuration=1' }
  await order(client, { method: 'POST', path: '/gwc/rest/reload', body }, op)
}

/**
 * Deletes the tiles of a layer or a group. One that has none, or that GeoWebCache does not know, is done. Answers what GeoServer said
 * where it did not do it; rejects where it is not there to ask.
 */
export async function truncateTiles(client: GeoServerClient, layer: string, op: Op): Promise<string | undefined> {
  const content = `<truncateLayer><layerName>${escaped(layer)}</layerName></truncateLayer>`
  const call: Call = { method: 'POST', path: '/gwc/rest/masstruncate', body: { type: 'text/xml', content } }
  const answer = await client.call(call, op)
  const isUnknown =
    answer.status === 404 ||
    (answer.status >= 400 && /\b(?:unknown|not found|could not find|no such)\b/i.test(answer.text))
  return isDone(answer) || isUnknown ? undefined : refusal(call, answer).message
}

async function order(client: GeoServerClient, call: Call, op: Op): Promise<void> {
  const answer = await client.call(call, op)
  if (!isDone(answer)) throw refusal(call, answer)
}

function isDone({ status }: Answer): boolean {
  return status >= 200 && status < 300
}

function escaped(text: string): string {
  return text.replace(/[&<>]/g, (char) => `&#${char.charCodeAt(0)};`)
}
