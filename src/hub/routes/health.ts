import { FlotillaError } from '../../core/errors.ts'
import { keys } from '../../core/keys.ts'
import { sleepQuietly } from '../../lib/waiting.ts'
import type { HubContext } from '../context.ts'
import { type Route, route } from '../route.ts'
import { zHealthAnswer } from '../schemas/nodes.ts'

const READY_MS = 2000

export const healthRoutes: readonly Route[] = [
  route({
    method: 'GET',
    url: '/healthz',
    id: 'health',
    summary: 'Whether the process runs',
    access: 'public',
    answer: zHealthAnswer,
    handler: async () => ({ status: 'ok' as const }),
  }),
  route({
    method: 'GET',
    url: '/readyz',
    id: 'ready',
    summary: 'Whether the hub can do its work: its store answers',
    access: 'public',
    answer: zHealthAnswer,
    handler: async (hub) => {
      if (!(await storeAnswers(hub))) throw new FlotillaError('NOT_READY', 'the store does not answer')
      return { status: 'ready' as const }
    },
  }),
  route({
    method: 'GET',
    url: '/metrics',
    id: 'metrics',
    summary: 'Metrics for Prometheus',
    details: 'They name trees and count nodes, so they need a token too: `authorization` in a scrape configuration.',
    access: ['read:metrics'],
    answerType: 'text/plain',
    handler: async ({ metrics }, { reply }) => {
      await reply.type('text/plain; version=0.0.4; charset=utf-8').send(await metrics.page())
      return undefined
    },
  }),
  route({
    method: 'GET',
    url: '/v1/openapi.json',
    id: 'openApi',
    summary: 'This document',
    access: 'token',
    answerType: 'application/json',
    handler: async ({ openApi }, { reply }) => {
      await reply.type('application/json').send(openApi())
      return undefined
    },
  }),
]

/** Within two seconds. */
export async function storeAnswers({ store, clock }: Pick<HubContext, 'store' | 'clock'>): Promise<boolean> {
  const done = new AbortController()
  const asked = store.get(keys.peerKey, { signal: done.signal }).then(
    () => true,
    () => false,
  )
  const waited = sleepQuietly(clock, READY_MS, done.signal).then(() => false)
  const answers = await Promise.race([asked, waited])
  done.abort()
  return answers
}
