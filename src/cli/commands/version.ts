import { flotillaVersion } from '../../lib/version.ts'
import { command } from '../command.ts'

export const version = command({
  arguments: [],
  options: { json: { type: 'flag', summary: 'print one JSON object' } },
  examples: ['flotilla version'],
  run({ options }, { output }) {
    const facts = { version: flotillaVersion(), node: process.version }
    if (options.json) output.json('version', facts)
    else output.print(`flotilla ${facts.version} (Node.js ${facts.node})`)
    return Promise.resolve(0)
  },
})
