import type { ExitCode } from '../core/errors.ts'
import type { Context } from './context.ts'
import { serviceLog, serviceSources } from './service.ts'

interface RunOptions {
  /** Without one, the environment has everything. */
  readonly file: string | undefined
  readonly logLevel: string | undefined
}

/** Runs an agent in the foreground until it is told to stop. */
export async function runAgentHere(options: RunOptions, context: Context): Promise<ExitCode> {
  const { config, deps } = await preparedAgent(options, context)
  const { runAgent } = await import('../app/agent.ts')
  await runAgent(config, deps)
  return 0
}

const OUTCOMES = { ok: 0, pending: 3, failed: 1 } as const

/** Brings the node in step once, and says how far it came. */
export async function runAgentOnceHere(
  options: RunOptions & { readonly timeoutMs: number; readonly json: boolean },
  context: Context,
): Promise<ExitCode> {
  const { output } = context
  const { config, deps } = await preparedAgent(options, context)
  const { runAgentOnce } = await import('../app/agent.ts')
  const { outcome, reports } = await runAgentOnce(config, deps, options.timeoutMs)
  if (options.json) output.json('agent-once', { outcome, reports: Object.fromEntries(reports) })
  else if (reports.size === 0) output.print('nothing has been released yet')
  for (const [tree, { state, staged, applied, served, error }] of options.json ? [] : reports) {
    const why = error === undefined ? '' : `: ${error.message}`
    output.print(`${tree}: ${state}, staged r${staged}, applied r${applied}, served r${served}${why}`)
  }
  return OUTCOMES[outcome]
}

/** The configuration of an agent, and what its parts work with. */
export async function preparedAgent({ file, logLevel }: RunOptions, context: Context) {
  const [{ loadConfig }, { agentSchema }] = await Promise.all([
    import('../config/load.ts'),
    import('../config/agent.ts'),
  ])
  const { base, ...sources } = await serviceSources(file, { logLevel }, context)
  const config = loadConfig(agentSchema, sources)
  const log = serviceLog(`agent ${config.node}`, config.logLevel, context)
  return { config, deps: { clock: context.clock, log, signal: context.signal, base } }
}
