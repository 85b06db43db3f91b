"""A leaderboard: scores that many threads raise, ranks, neighbours, weeks that are added up."""

import random
import threading
import unittest

import redis

from . import OPTIONS, fresh


class Leaderboard:
    def __init__(self, client: redis.Redis, name: str):
        self.client, self.name = client, name

    def award(self, player: str, points: float) -> float:
        return self.client.zincrby(self.name, points, player)

    def top(self, count: int) -> list[tuple[bytes, float]]:
        return self.client.zrevrange(self.name, 0, count - 1, withscores=True)

    def rank(self, player: str) -> int | None:
        rank = self.client.zrevrank(self.name, player)
        return None if rank is None else rank + 1

    def around(self, player: str, distance: int) -> list[bytes]:
        rank = self.client.zrevrank(self.name, player)
        return self.client.zrevrange(self.name, max(rank - distance, 0), rank + distance)


class Leaderboards(unittest.TestCase):
    def test_ranks(self):
        board = Leaderboard(fresh(), "board")
        for number in range(1000):
            board.award(f"player:{number:04}", number)
        self.assertEqual(board.top(2), [(b"player:0999", 999.0), (b"player:0998", 998.0)])
        self.assertEqual(board.rank("player:0990"), 10)
        self.assertIsNone(board.rank("nobody"))
        self.assertEqual(board.award("player:0000", 10_000), 10_000.0)
        self.assertEqual(board.rank("player:0000"), 1)
        self.assertEqual(
            board.around("player:0500", 1), [b"player:0501", b"player:0500", b"player:0499"]
        )
        self.assertEqual(board.client.zcount("board", 990, "(999"), 9)
        self.assertEqual(board.client.zrangebyscore("board", 1, 3), [
            b"player:0001", b"player:0002", b"player:0003",
        ])

    def test_ties_are_in_the_order_of_names(self):
        board = Leaderboard(fresh(), "board")
        for player in ["c", "a", "d", "b"]:
            board.award(player, 7)
        self.assertEqual([player for player, _ in board.top(4)], [b"d", b"c", b"b", b"a"])
        board.award("a", 0.5)
        self.assertEqual(board.top(1), [(b"a", 7.5)])

    def test_only_the_best_score_counts(self):
        client = fresh()
        client.zadd("best", {"a": 10, "b": 20})
        self.assertEqual(client.zadd("best", {"a": 5, "b": 30, "c": 1}, gt=True, ch=True), 2)
        expected = [(b"c", 1.0), (b"a", 10.0), (b"b", 30.0)]
        self.assertEqual(client.zrange("best", 0, -1, withscores=True), expected)

    def test_weeks_are_added_up(self):
        client = fresh()
        client.zadd("week:1", {"a": 1, "b": 2})
        client.zadd("week:2", {"b": 3, "c": 4})
        client.zadd("friends", {"b": 0, "c": 0})
        self.assertEqual(client.zunionstore("all", ["week:1", "week:2"]), 3)
        self.assertEqual(client.zinterstore("mine", ["all", "friends"]), 2)
        expected = [(b"b", 5.0), (b"c", 4.0)]
        self.assertEqual(client.zrevrange("mine", 0, -1, withscores=True), expected)
        client.zremrangebyrank("all", 0, -3)
        self.assertEqual(client.zcard("all"), 2)

    def test_many_threads(self):
        client = fresh()
        sums = [dict() for _ in range(8)]

        def work(own: dict):
            board = Leaderboard(redis.Redis(**OPTIONS), "board")
            numbers = random.Random(id(own))
            for _ in range(300):
                player, points = f"p{numbers.randrange(50)}", numbers.randrange(1, 10)
                board.award(player, points)
                own[player] = own.get(player, 0) + points

        threads = [threading.Thread(target=work, args=(own,)) for own in sums]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expected = {}
        for own in sums:
            for player, points in own.items():
                expected[player] = expected.get(player, 0) + points
        found = {player.decode(): score for player, score in client.zscan_iter("board")}
        self.assertEqual(found, expected)
