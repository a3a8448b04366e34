import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { AgentConfig } from '../../config/agent.ts'
import { absolute } from '../../config/paths.ts'
import { type Check, fail, type Finding, ok } from './check.ts'
import { writable } from './folders.ts'

/** Whether what templates need of this machine is there. What they make of it, the agent tells the hub. */
export function templateChecks(group: string, base: string, { templates }: AgentConfig): readonly Check[] {
  return Object.entries(templates).flatMap(([name, { from, to, check, after }]): Check[] => {
    const [source, target] = [absolute(base, from), absolute(base, to)]
    const programs = [check?.[0], after?.[0]].filter((program) => program?.startsWith('/') === true)
    const own: Check[] = [
      { group, name: `template ${name}`, run: () => sourceFinding(source) },
      writable(group, `folder of ${name}`, dirname(target), 'Make it, or correct `to` of the template.'),
    ]
    return own.concat(programs.map((program = '') => ({ group, name: program, run: () => programFinding(program) })))
  })
}

async function sourceFinding(source: string): Promise<Finding> {
  const found = await stat(source).catch(() => undefined)
  if (found === undefined) return fail(`${source} cannot be read`, 'Put it there, or correct `from` of the template.')
  return ok(source)
}

async function programFinding(program: string): Promise<Finding> {
  const found = await stat(program).catch(() => undefined)
  return found === undefined
    ? fail(`${program} is not there`, 'Install it, or correct `check` or `after` of the template.')
    : ok(program)
}
