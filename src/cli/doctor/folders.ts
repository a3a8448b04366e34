import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { freeBytes, probeFolder } from '../../lib/probe-folder.ts'
import { type Check, fail, type Finding, ok, warn } from './check.ts'

const MIB = 1024 * 1024
const SPACE_WARN = 1024 * MIB
const SPACE_FAIL = 50 * MIB

/** A folder that must be there and writable. */
export function writable(group: string, name: string, folder: string, fix: string): Check {
  return {
    group,
    name,
    run: async () => {
      const found = await stat(folder).catch(() => undefined)
      if (found === undefined) return fail(`${folder} is not there`, fix)
      if (!found.isDirectory()) return fail(`${folder} is not a folder`, fix)
      const may = await access(folder, constants.R_OK | constants.W_OK | constants.X_OK).then(
        () => true,
        () => false,
      )
      return may ? ok(folder) : fail(`${folder} cannot be written by this user`, `chown or chmod it for ${userName()}.`)
    },
  }
}

/** A folder whose content nobody else should see. */
export function isPrivate(group: string, name: string, folder: string): Check {
  return {
    group,
    name,
    run: async () => {
      const mode = (await stat(folder)).mode & 0o777
      if ((mode & 0o077) === 0) return ok(`mode ${octal(mode)}`)
      return warn(`${folder} can be read by others (mode ${octal(mode)})`, `chmod 700 ${folder}`)
    },
  }
}

export function space(group: string, folder: string): Check {
  return {
    group,
    name: 'free space',
    run: async () => {
      const bytes = await freeBytes(folder)
      const text = `${Math.floor(bytes / MIB)} MiB free in ${folder}`
      if (bytes < SPACE_FAIL) return fail(text, 'Free some space: nothing more can be written soon.')
      return bytes < SPACE_WARN ? warn(text, 'Free some space, or move the folder.') : ok(text)
    },
  }
}

/** Whether files can be replaced there without anybody ever seeing half of one. */
export function replaces(group: string, folder: string): Check {
  return { group, name: 'replacing a file', run: async () => qualitiesOf(await probeFolder(folder), folder) }
}

function qualitiesOf(
  { replacesAtomically, timeStepMs }: { replacesAtomically: boolean; timeStepMs: number },
  folder: string,
): Finding {
  if (!replacesAtomically) {
    return fail(
      `renaming over a file in ${folder} is not atomic`,
      'Put the folder on a local disk; ERDDAP could read half a file here.',
    )
  }
  if (timeStepMs > 1) {
    return warn(
      `times in ${folder} have steps of ${timeStepMs / 1000} s`,
      'Changes within one step are found by their content, more slowly.',
    )
  }
  return ok('atomic, and times are fine enough')
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}

function userName(): string {
  return `the user with id ${process.getuid?.() ?? '?'}`
}
