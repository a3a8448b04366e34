import { command } from '../command.ts'
import { CLIENT, withHub } from '../connect.ts'
import { span } from '../format.ts'
import { JOIN_ADVICE, joinLine } from '../join-line.ts'

export const tokenJoinCode = command({
  arguments: [],
  options: CLIENT,
  examples: ['flotilla token join-code', 'flotilla token join-code --json'],
  async run({ options }, context) {
    const { output, clock, signal } = context
    const { answer, url } = await withHub(options, context, async (hub) => ({
      answer: await hub.client.createJoinCode({ signal }),
      url: hub.url,
    }))
    const line = joinLine({ url, code: answer.code })
    if (options.json) output.json('join-code', { ...answer, join: line })
    else {
      output.print(answer.code)
      output.note(
        `for one node, within ${span(answer.expiresAtMs - clock.nowMs())}; on that server:\n  ${line}\n${JOIN_ADVICE}`,
      )
    }
    return 0
  },
})
