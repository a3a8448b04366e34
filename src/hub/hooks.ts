import type { FastifyInstance, FastifyRequest } from 'fastify'
import { FlotillaError } from '../core/errors.ts'
import { authenticate, authorize } from './auth.ts'
import { discardRest } from './broken-requests.ts'
import { ANYBODY } from './caller.ts'
import type { HubContext } from './context.ts'
import { tell } from './errors.ts'
import { requestGuard } from './http-guard.ts'
import type { Face } from './route.ts'
import { SECURITY_HEADERS } from './security-headers.ts'

/** What every request goes through, in this order: is it sound, who calls, and, once it is validated, may they. */
export function addHooks(app: FastifyInstance, hub: HubContext, hostNames: ReadonlySet<string>): void {
  const guard = requestGuard(hostNames)
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ ...SECURITY_HEADERS, 'x-request-id': request.id })
    guard(request)
    if (hub.closing.aborted) throw hub.closing.reason
    const caller = await authenticate(request, request.routeOptions.config.access, hub.tokens)
    request.caller = caller
    if (caller.profile !== undefined) hub.uses.note(caller.id, request.ip)
  })
  app.addHook('preHandler', async (request) => {
    const { access } = request.routeOptions.config
    if (access !== undefined) authorize(request, access, request.caller ?? ANYBODY)
  })
  app.addHook('onResponse', (request, reply, done) => {
    note(hub, request, reply.statusCode, reply.elapsedTime)
    done()
  })
}

function note({ metrics, log }: HubContext, request: FastifyRequest, status: number, elapsedMs: number): void {
  const { url: route = 'none' } = request.routeOptions
  const { id: requestId, method } = request
  metrics.request({ route, method, status, seconds: elapsedMs / 1000 })
  log.debug('request', { requestId, method, route, status, ms: Math.round(elapsedMs), caller: request.caller?.id })
}

/** Every failure, expected or not, as the one form of error. */
export function addErrorAnswers(app: FastifyInstance, hub: HubContext | undefined): void {
  addErrorHandler(app, hub)
  app.setNotFoundHandler(() => {
    throw new FlotillaError('NOT_FOUND', 'there is no such route', {
      hint: 'GET /v1/openapi.json tells which there are.',
    })
  })
}

/** For the routes of `app`; those of a face have their own form of error. */
export function addErrorHandler(app: FastifyInstance, hub: HubContext | undefined, face?: Face): void {
  app.setErrorHandler((error, request, reply) => {
    const { status, body, isFault } = tell(error, request.id)
    const own = face?.answerOf?.({ error, status, known: body.error, request })
    // A face knows refusals of its own, which are no faults.
    const isOurs = isFault && (own === undefined || own.status >= 500)
    if (isOurs && !request.raw.destroyed) hub?.log.error('a request failed', { requestId: request.id, error })
    discardRest(request.raw)
    if (own !== undefined)
      return reply
        .status(own.status)
        .headers(own.headers ?? {})
        .send(own.body)
    if (body.error.code === 'UNAUTHENTICATED') {
      reply.header('www-authenticate', face === undefined ? 'Bearer' : `Basic realm="${face.realm}", charset="UTF-8"`)
    }
    return reply.status(status).send(face?.errorBody(body.error) ?? body)
  })
}
