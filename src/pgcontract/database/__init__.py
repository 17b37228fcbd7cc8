"""A database for applications: a pool of connections, typed rows, transactions, and errors that hold no values.

```python
with Database.from_environment() as database:
    user = database.one("SELECT id, email FROM users WHERE id = %s", (id,), row=User, name="users.find_by_id")
    with database.tx() as tx:
        tx.none("UPDATE users SET name = %s WHERE id = %s", (name, id), name="users.rename")
```
"""

from __future__ import annotations

from pgcontract.database.pool import Database
from pgcontract.database.queries import Parameters, Queries, Statement
from pgcontract.database.settings import Settings
from pgcontract.database.status import ConnectionStatus
from pgcontract.database.transactions import Isolation, Transaction

__all__ = [
    "ConnectionStatus",
    "Database",
    "Isolation",
    "Parameters",
    "Queries",
    "Settings",
    "Statement",
    "Transaction",
]
