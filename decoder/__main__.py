"""python3 -m decoder"""
import sys

from .commands import main

sys.exit(main())
