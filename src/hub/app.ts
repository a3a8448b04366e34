import { randomBytes } from 'node:crypto'
import { fastify, type FastifyInstance, type FastifyReply } from 'fastify'
import { createSerializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import { FlotillaError } from '../core/errors.ts'
import { answerBrokenRequest } from './broken-requests.ts'
import { ANYBODY, type Caller } from './caller.ts'
import type { HubContext } from './context.ts'
import { tell } from './errors.ts'
import { underFence } from './fence-header.ts'
import { addErrorAnswers, addErrorHandler, addHooks } from './hooks.ts'
import { parseJson } from './json-body.ts'
import { HUB_LIMITS, type HubLimits } from './limits.ts'
import { addDocument, schemaOf } from './openapi.ts'
import { type Access, type Face, PATCH_TYPES, type Route } from './route.ts'
import { ROUTES } from './routes.ts'
import { SECURITY_HEADERS } from './security-headers.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access
    members?: number
    isFace?: boolean
    takesPatches?: boolean
  }
  interface FastifyRequest {
    caller: Caller | null
  }
}

const PARAMETER_CHARS = 512
/** Items over the limit that a body may still have, so that the route itself can say what there are too many of. */
const SLACK = 1000
const JSON_TYPE = 'application/json'

/** The HTTP server with its routes, not listening. Without a hub, as for the document alone, no handler can run. */
export async function buildApp(
  hub: HubContext | undefined,
  hostNames: ReadonlySet<string>,
  faces: readonly Face[] = [],
): Promise<FastifyInstance> {
  const limits = hub?.limits ?? HUB_LIMITS
  const app = fastify({
    ...serverOptions(limits),
    genReqId: requestIds(),
    frameworkErrors: (error, request, reply: FastifyReply) => {
      const { status, body } = tell(error, request.id)
      void reply.headers(SECURITY_HEADERS).code(status).send(body)
    },
  })
  app.server.maxConnections = limits.connections
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(createSerializerCompiler())
  app.decorateRequest('caller', null)
  app.addHook('onRoute', ({ config, url }) => {
    if (config?.access === undefined) throw new Error(`the route ${url} does not say who may call it`)
  })
  takeJson(app, limits)
  await addDocument(app)
  if (hub !== undefined) addHooks(app, hub, hostNames)
  addErrorAnswers(app, hub)
  await app.register((scope, _options, done) => {
    for (const route of ROUTES) if (route.takesBytes !== true) addRoute(scope, route, hub, limits)
    done()
  })
  for (const face of faces) {
    await app.register((scope, _options, done) => {
      addErrorHandler(scope, hub, face)
      for (const route of face.routes) addRoute(scope, route, hub, limits, true)
      done()
    })
  }
  await app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers()
    // The handler reads the stream itself.
    scope.addContentTypeParser('*', (_request, _body, parsed) => parsed(null))
    for (const route of ROUTES) if (route.takesBytes === true) addRoute(scope, route, hub, limits)
    done()
  })
  return app
}

function serverOptions(limits: HubLimits) {
  return {
    logger: false,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestMs,
    connectionTimeout: limits.idleMs,
    keepAliveTimeout: limits.keepAliveMs,
    routerOptions: { maxParamLength: PARAMETER_CHARS },
    http: {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersMs,
      // How often time-outs are looked at: often enough that they mean what they say.
      connectionsCheckingInterval: Math.min(limits.headersMs / 4, 1000),
    },
    clientErrorHandler: answerBrokenRequest,
  } as const
}

/** Short, unique across restarts, and cheap: a random beginning and a count. */
function requestIds(): () => string {
  const start = randomBytes(4).toString('hex')
  let count = 0
  return () => `${start}-${(count++).toString(36)}`
}

function takeJson(app: FastifyInstance, limits: HubLimits): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser([JSON_TYPE, ...PATCH_TYPES], { parseAs: 'buffer' }, (request, body, done) => {
    const { members = limits.jsonMembers, takesPatches = false } = request.routeOptions.config
    const type = request.headers['content-type'] ?? ''
    try {
      if (!takesPatches && PATCH_TYPES.some((each) => type.startsWith(each))) {
        throw new FlotillaError('BAD_REQUEST', 'this route takes no patch')
      }
      done(null, body.length === 0 ? undefined : parseJson(body as Buffer, { depth: limits.jsonDepth, members }))
    } catch (error) {
      done(error as Error)
    }
  })
}

function addRoute(
  app: FastifyInstance,
  route: Route,
  hub: HubContext | undefined,
  limits: HubLimits,
  isFace = false,
): void {
  const { access, limits: own } = route
  app.route({
    method: route.method,
    url: route.url,
    config: {
      access,
      isFace,
      ...(route.takesPatches !== undefined && { takesPatches: true }),
      ...(own?.members !== undefined && { members: own.members * (limits.releaseFiles + SLACK) }),
    },
    ...(own?.bodyBytes !== undefined && { bodyLimit: limits[own.bodyBytes] }),
    // A face has its own form of errors.
    schema: isFace ? { ...schemaOf(route), response: {}, hide: true } : schemaOf(route),
    handler: (request, reply) => {
      if (hub === undefined) throw new FlotillaError('NOT_READY', 'this is the document only')
      if (route.body === undefined && request.body !== undefined)
        throw new FlotillaError('BAD_REQUEST', 'this route takes no body')
      const { params, query, body } = request
      const caller = request.caller ?? ANYBODY
      const call = { params, query, body, caller, request, reply } as Parameters<Route['handler']>[1]
      // No function is left waiting here: thousands of requests may wait for something.
      return underFence(hub, request, () => route.handler(hub, call)).then((answer) =>
        reply.sent ? reply : reply.status(route.status ?? 200).send(answer),
      )
    },
  })
}
