import { z } from 'zod'
import { FlotillaError } from '../../core/errors.ts'
import type { HubContext } from '../../hub/context.ts'
import { type Access, type Face, type Route, route } from '../../hub/route.ts'
import { storeAnswers } from '../../hub/routes/health.ts'
import { type Command, zDatasetIds, zDatasetIdsOrAll, zReloadFlag, zValues } from './command.ts'
import { carryOut } from './operations.ts'
import { PushedMetrics, zPushBody } from './pushed.ts'

export const PREFIX = '/compat/erddaputil'

interface FaceOptions {
  readonly tree: string
  readonly pushed: PushedMetrics
}

/**
 * ERDDAPUtil's web API, as its clients call it: its paths and bodies under a prefix, a token as the password. What fails
 * has a status that says so; ERDDAPUtil answers 200.
 */
export async function erddaputilFace(tree: string): Promise<Face> {
  const options = { tree, pushed: await PushedMetrics.create() }
  return {
    realm: 'Flotilla',
    routes: [...commandRoutes(tree), ...metricRoutes(options)],
    errorBody: ({ code, message, hint }) => ({
      success: false,
      message: hint === undefined ? message : `${message}. ${hint}`,
      code,
    }),
  }
}

/** 1 (the cluster) and 2 (every cluster) are the same here: a hub has one. */
const broadcast = { _broadcast: z.union([z.number(), z.string()]).optional() }

const zAnswer = z.object({ success: z.boolean(), message: z.string() })

function commandRoutes(tree: string): readonly Route[] {
  const write = (family: string): readonly `write:${string}`[] => [`write:${family}/${tree}`]
  const toAddresses = (path: `/${string}`, list: 'requestBlacklist' | 'ipAddressUnlimited', op: 'add' | 'remove') =>
    post(tree, path, [`write:list/${tree}/${list}`], { ip: zValues }, ({ ip }) => ({
      is: 'list',
      list,
      op,
      values: ip,
    }))
  const toEmails = (path: `/${string}`, op: 'add' | 'remove') =>
    post(tree, path, [`write:list/${tree}/subscriptionEmailBlacklist`], { email: zValues }, ({ email }) => ({
      is: 'list',
      list: 'subscriptionEmailBlacklist',
      op,
      values: email,
    }))
  const switching = (path: `/${string}`, active: boolean) =>
    post(tree, path, write('release'), { dataset_id: zDatasetIds }, ({ dataset_id: datasets }) => ({
      is: 'activate',
      datasets,
      active,
    }))
  return [
    listRoute(tree),
    post(
      tree,
      '/datasets/reload',
      write('request'),
      { dataset_id: zDatasetIdsOrAll, flag: zReloadFlag },
      ({ dataset_id: datasets, flag }) => ({ is: 'reload', datasets, flag }),
    ),
    switching('/datasets/activate', true),
    switching('/datasets/deactivate', false),
    post(
      tree,
      '/datasets/compile',
      [...write('release'), ...write('request')],
      { reload_all_datasets: z.boolean().default(false) },
      ({ reload_all_datasets: reloadAll }) => ({ is: 'compile', reloadAll }),
    ),
    toAddresses('/block/ip', 'requestBlacklist', 'add'),
    toAddresses('/unblock/ip', 'requestBlacklist', 'remove'),
    toAddresses('/allow/unlimited', 'ipAddressUnlimited', 'add'),
    toAddresses('/unallow/unlimited', 'ipAddressUnlimited', 'remove'),
    toEmails('/block/email', 'add'),
    toEmails('/unblock/email', 'remove'),
    post(tree, '/flush-logs', write('request'), {}, () => ({ is: 'flush-logs' })),
    post(tree, '/clear-cache', write('request'), { dataset_id: zDatasetIdsOrAll }, ({ dataset_id: datasets }) => ({
      is: 'clear-cache',
      datasets,
    })),
  ]
}

function post<S extends z.ZodRawShape>(
  tree: string,
  path: `/${string}`,
  access: Access,
  shape: S,
  commandOf: (body: z.output<z.ZodObject<S>>) => Command,
): Route {
  return route({
    method: 'POST',
    url: `${PREFIX}${path}`,
    id: `erddaputil${path.replaceAll(/\W+/g, '_')}`,
    summary: `As ERDDAPUtil's ${path}`,
    access,
    // Some of its clients send no body where there is nothing to say.
    body: z.preprocess((body) => body ?? {}, z.object({ ...shape, ...broadcast })),
    answer: zAnswer,
    handler: async (hub, { body, caller }) => {
      const { _broadcast: whom } = body as { _broadcast?: unknown }
      checkBroadcast(whom)
      const command = commandOf(body as z.output<z.ZodObject<S>>)
      const { message } = await carryOut(command, depsOf(hub, tree), caller.label, { signal: hub.closing })
      hub.log.info('a command of ERDDAPUtil', { path, by: caller.id })
      return { success: true, message }
    },
  })
}

function depsOf({ store, clock, releases, followers }: HubContext, tree: string) {
  return { store, clock, releases, followers, tree }
}

function checkBroadcast(value: unknown): void {
  const number = Number(value ?? 1)
  if (number === 1 || number === 2) return
  if (number === 0) {
    throw new FlotillaError(
      'BAD_REQUEST',
      '_broadcast 0 means this server alone, and a hub is no server of the cluster',
      {
        hint: 'Leave it out: every node is told. For single nodes there is flotilla --nodes.',
      },
    )
  }
  throw new FlotillaError('BAD_REQUEST', '_broadcast is 0, 1 or 2')
}

function listRoute(tree: string): Route {
  return route({
    method: 'GET',
    url: `${PREFIX}/datasets`,
    id: 'erddaputil_datasets',
    summary: "As ERDDAPUtil's /datasets",
    access: [`read:release/${tree}`],
    query: z.object(broadcast),
    answer: zAnswer.extend({ datasets: z.array(z.string()) }),
    handler: async (hub, { caller }) => {
      const { message, datasets = [] } = await carryOut({ is: 'datasets' }, depsOf(hub, tree), caller.label)
      return { success: true, message, datasets: [...datasets] }
    },
  })
}

function metricRoutes({ pushed }: FaceOptions): readonly Route[] {
  return [
    route({
      method: 'POST',
      url: `${PREFIX}/push`,
      id: 'erddaputil_push',
      summary: "As ERDDAPUtil's /push: metrics of programs without a page of their own",
      access: ['write:metrics'],
      body: zPushBody,
      answer: z.object({ success: z.boolean(), errors: z.array(z.string()) }),
      handler: async (_hub, { body }) => {
        pushed.take(body)
        return { success: true, errors: [] }
      },
    }),
    route({
      method: 'GET',
      url: `${PREFIX}/metrics`,
      id: 'erddaputil_metrics',
      summary: 'What was pushed, and the metrics of the hub',
      access: ['read:metrics'],
      answerType: 'text/plain',
      handler: async ({ metrics }, { reply }) => {
        const pages = [await pushed.page(), await metrics.page()].filter((page) => page.trim() !== '')
        await reply.type('text/plain; version=0.0.4; charset=utf-8').send(pages.join('\n'))
        return undefined
      },
    }),
    route({
      method: 'GET',
      url: `${PREFIX}/health`,
      id: 'erddaputil_health',
      summary: 'Whether the hub can do its work',
      access: 'public',
      answerType: 'text/plain',
      handler: async (hub, { reply }) => {
        if (!(await storeAnswers(hub))) throw new FlotillaError('NOT_READY', 'the store does not answer')
        await reply.type('text/plain; charset=utf-8').send('healthy')
        return undefined
      },
    }),
  ]
}
