"""Faster dbt for builds of a few rows; its effect on the warehouse is the same.

Most of such a build is dbt's own work around each of its 300 nodes, and a third of that is avoidable: it logs in for
every node, compiles the templates for every build, and creates a message for every step for a debug log that is
switched off.
"""

from typing import Any


def quicken() -> None:
    """Keep a thread's session between nodes, create no unread messages, and reuse a parse on any port."""
    from dbt.adapters.base.connections import BaseConnectionManager
    from dbt.adapters.contracts.connection import ConnectionState
    from dbt.adapters.postgres.connections import PostgresConnectionManager, PostgresCredentials
    from dbt.clients.jinja import MacroGenerator
    from dbt.compilation import Compiler
    from dbt.context.macros import MacroNamespace, MacroNamespaceBuilder
    from dbt_common.behavior_flags import BehaviorFlagRendered
    from dbt_common.clients import agate_helper
    from dbt_common.clients.jinja import MacroFuzzEnvironment
    from dbt_common.events.base_types import BaseEvent, DebugLevel, EventLevel
    from dbt_common.events.event_manager import EventManager

    if hasattr(DebugLevel, "pb_msg"):
        return
    open_session, fire = PostgresConnectionManager.open.__func__, EventManager.fire_event
    connection_keys = PostgresCredentials._connection_keys
    compile_template, link = MacroFuzzEnvironment.compile, Compiler.compile
    compiled: dict[Any, Any] = {}

    def open_and_commit(cls: Any, connection: Any) -> Any:
        """`set role` must survive the roll-back of the first node."""
        was_open = connection.state == ConnectionState.OPEN
        opened = open_session(cls, connection)
        if not was_open:
            opened.handle.commit()
        return opened

    def release(manager: Any) -> None:
        """Roll back instead of closing."""
        connection = manager.get_if_exists()
        if connection is not None and connection.state == ConnectionState.OPEN:
            connection.handle.rollback()
            connection.transaction_open = False

    def compile_once(environment: Any, source: Any, *args: Any, **more: Any) -> Any:
        key = (type(environment), source, args, *more.items())
        if key not in compiled:
            compiled[key] = compile_template(environment, source, *args, **more)
        return compiled[key]

    def remember(event: Any, *args: Any, **fields: Any) -> None:
        event.__dict__["given"] = (args, fields)

    def message(event: Any) -> Any:
        if "message" not in event.__dict__:
            args, fields = event.__dict__["given"]
            BaseEvent.__init__(event, *args, **fields)
        return event.__dict__["message"]

    def keep_message(event: Any, made: Any) -> None:
        event.__dict__["message"] = made

    def fire_what_is_read(manager: Any, event: Any, level: Any = None, *rest: Any, **more: Any) -> None:
        if not (isinstance(event, DebugLevel) and level in (None, EventLevel.DEBUG)):
            fire(manager, event, level, *rest, **more)

    def build_namespace(builder: Any, macros: Any, context: Any) -> MacroNamespace:
        """As dbt does it, without a call for each of 560 macros in the context of each node."""
        packages = {
            package: {name: generator(macro, context, builder) for name, macro in named.items()}
            for package, named in macros.items()
        }
        internal: dict[str, Any] = {}
        for package in reversed(builder.internal_package_names_order):
            internal |= packages.pop(package, {})
        own = packages.get(builder.search_package, {})
        root = {} if builder.search_package == builder.root_package else packages.get(builder.root_package, {})
        return Namespace(root, own, internal, packages)

    def generator(macro: Any, context: Any, builder: Any) -> MacroGenerator:
        made = MacroGenerator.__new__(MacroGenerator)
        made.__dict__ = {"context": context, "macro": macro, "node": builder.node, "stack": builder.thread_ctx}
        return made

    class Namespace(MacroNamespace):
        """Its names are looked up once."""

        def keys(self) -> Any:
            self.flat: dict[str, Any] = {}
            for searched in reversed([*self._search_order()]):
                self.flat |= searched
            return self.flat.keys()

    graphs: dict[Any, Any] = {}

    def link_once(compiler: Any, manifest: Any, write: bool = True, add_test_edges: bool = False) -> Any:
        """The graph of the same nodes and edges is the same."""
        groups = (manifest.nodes, manifest.exposures, manifest.metrics, manifest.unit_tests, manifest.semantic_models)
        key = tuple((name, *node.depends_on_nodes) for group in groups for name, node in group.items())
        key += (tuple(manifest.sources), add_test_edges)
        if key not in graphs:
            graphs[key] = link(compiler, manifest, write, add_test_edges)
            return graphs[key]
        compiler.initialize()
        if add_test_edges:
            manifest.build_parent_and_child_maps()
        return graphs[key]

    # Of everything that a parse depends on, only the port differs between the servers of test processes.
    PostgresCredentials._connection_keys = lambda self: tuple(key for key in connection_keys(self) if key != "port")
    PostgresConnectionManager.open = classmethod(open_and_commit)
    BaseConnectionManager.release = release
    MacroFuzzEnvironment.compile = compile_once
    DebugLevel.__init__ = remember
    DebugLevel.pb_msg = property(message, keep_message)
    EventManager.fire_event = fire_what_is_read
    # Every statement without a result gets an empty table, whose types of columns are costly.
    nothing = agate_helper.empty_table()
    agate_helper.empty_table = lambda: nothing
    # It reads the stack for each of 19 flags to say where the flag was declared.
    BehaviorFlagRendered._default_source = staticmethod(lambda: "dbt")
    MacroNamespaceBuilder.build_namespace = build_namespace
    Compiler.compile = link_once
