"""A courier as a process of its own, to be killed in the middle of a delivery: ``lonely_courier.py DSN URL``."""

import asyncio
import sys
from datetime import timedelta

from pydantic import SecretStr

from activities.courier import Courier, Pace
from activities.webhook import SignedWebhook
from runtime.pool import open_pool
from tests.activities.posting import SECRET


async def main(dsn: str, url: str) -> None:
    """Deliver until killed."""
    pool = await open_pool(dsn, size=4, role="bihuan_app")
    channel = SignedWebhook(url, SecretStr(SECRET), private=True)
    await Courier(pool, [channel], pace=Pace(lease=timedelta(seconds=1))).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
