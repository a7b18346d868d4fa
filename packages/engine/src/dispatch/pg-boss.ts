import { CountersignError } from "@countersign/core";
import { PgBoss } from "pg-boss";
import { z } from "zod";
import type { Connection } from "../database/connect.ts";
import type { Dispatch } from "./dispatch.ts";

const queue = "run-due";
const Job = z.strictObject({ run: z.string().regex(/^run_[0-9a-hjkmnp-tv-z]{26}$/) });
/** Notifications coalesce in a burst, so polling stays on as a floor; 0.5 s is the least pg-boss allows. */
const pollSeconds = 0.5;
const batchMax = 64;

/**
 * {@link Dispatch} over pg-boss, in its own schema and under the executor's login. Errors inside pg-boss go to `onError`:
 * none of them harms a run. Errors: DATABASE_UNAVAILABLE at the start.
 */
export async function openDispatch(options: {
  readonly connection: Connection;
  readonly onError: (error: Error) => void;
  readonly connectionsMax?: number;
}): Promise<Dispatch> {
  const { address, user, password } = options.connection;
  const boss = new PgBoss({
    host: address.host,
    port: address.port,
    database: address.database,
    user,
    password,
    ssl: address.tls === null ? false : { rejectUnauthorized: true, ...address.tls },
    max: options.connectionsMax ?? 3,
    application_name: "cs_executor queue",
    options: "-c statement_timeout=30000",
    schema: "pgboss",
    // Ours to make and to grant (migrations/0006-grants.sql); pg-boss makes what is in it.
    createSchema: false,
    schedule: false,
    useListenNotify: true,
  });
  boss.on("error", options.onError);
  try {
    await boss.start();
    await boss.createQueue(queue, {
      // One waiting job per run; one more may be under way.
      policy: "short",
      notify: true,
      // A hint that was not used is worthless: the sweep makes a new one.
      retryLimit: 0,
      retentionSeconds: 3_600,
      deleteAfterSeconds: 60,
    });
  } catch (error) {
    await boss.stop({ graceful: false }).catch(() => undefined);
    throw new CountersignError("DATABASE_UNAVAILABLE", `expected the queue to start: ${(error as Error).message}`);
  }

  const running = new Set<Promise<void>>();
  return {
    async offer(runs) {
      if (runs.length === 0) return;
      // In one statement, whatever their number.
      await boss.insert(
        queue,
        runs.map((run) => ({ data: { run }, singletonKey: run })),
      );
    },

    async work(handler, { inFlightMax }) {
      const settings = {
        batchSize: Math.min(inFlightMax, batchMax),
        pollingIntervalSeconds: pollSeconds,
        notifyPollingIntervalSeconds: pollSeconds,
        burstWhenBatchFull: true,
      };
      // A job is settled when its run is taken up, not when it is done: nothing hangs on a job, so none needs to live long.
      await boss.work(queue, settings, async (jobs) => {
        for (const job of jobs) {
          const parsed = Job.safeParse(job.data);
          if (!parsed.success) {
            options.onError(new CountersignError("INPUT_INVALID", "expected a job that names a run, got another"));
            continue;
          }
          while (running.size >= inFlightMax) await Promise.race(running);
          const task: Promise<void> = handler(parsed.data.run)
            .catch(options.onError)
            .finally(() => running.delete(task));
          running.add(task);
        }
      });
    },

    async stop() {
      await boss.stop({ graceful: true, timeout: 5_000 });
      await Promise.all(running);
    },
  };
}
