"""What the real LangGraph server serves: an agent that calls tools, and simpler graphs."""

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from tests.interop.servers.models import BLOCKS, BREAKING, CALLER, SLOW, TALKER, THINKER


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"21 °C in {city}"


@tool
def get_time() -> str:
    """The time of day."""
    return "12:00"


def _graph(model: BaseChatModel) -> StateGraph[MessagesState]:
    """The model, and the tools as long as it calls some."""

    async def ask(state: MessagesState) -> dict[str, list[AIMessage]]:
        get_stream_writer()({"progress": "asking"})
        was_answered = isinstance(state["messages"][-1], ToolMessage)
        answer = await (TALKER if was_answered else model).ainvoke(state["messages"])
        return {"messages": [answer]}

    def after_model(state: MessagesState) -> str:
        answer = state["messages"][-1]
        return "tools" if isinstance(answer, AIMessage) and answer.tool_calls else END

    graph = StateGraph(MessagesState)
    graph.add_node("model", ask)
    graph.add_node("tools", ToolNode([get_weather, get_time]))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", after_model, ["tools", END])
    graph.add_edge("tools", "model")
    return graph


agent = _graph(CALLER)
talker = _graph(TALKER)
thinker = _graph(THINKER)
blocks = _graph(BLOCKS)
breaking = _graph(BREAKING)
slow = _graph(SLOW)
