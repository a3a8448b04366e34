import { command } from '../command.ts'
import { CLIENT, TREE, withHub } from '../connect.ts'
import { waitForRequest } from '../wait-request.ts'
import { WAIT, waitMs } from '../wait.ts'

export const datasetsFlushLogs = command({
  arguments: [{ name: 'NODE', summary: 'on this node; without it, on every node', optional: true }],
  options: { ...WAIT, ...TREE, ...CLIENT },
  details:
    'ERDDAP keeps the end of its log.txt in memory. Each node asks its own ERDDAP for the status page, which writes the ' +
    'log out. A node whose agent has no `url` of its ERDDAP cannot ask, and passes it over.',
  examples: ['flotilla datasets flush-logs', 'flotilla datasets flush-logs erd2 --wait'],
  async run({ args, options }, context) {
    const { tree } = options
    const node = args.NODE
    const request = { kind: 'flush-logs' as const, node }
    const timeoutMs = waitMs(options)
    return withHub(options, context, async (hub) => {
      const { revision } = await hub.client.request(tree, request, { signal: context.signal })
      if (options.json) context.output.json('request', { revision, request })
      else context.output.print(`${node ?? 'every node'} was asked to write out its log, revision ${revision}`)
      return waitForRequest({ tree, revision, timeoutMs }, hub, context)
    })
  },
})
